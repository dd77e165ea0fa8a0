/**
 * A trace: the pods that were created in a period, when, from which template, and how long they lived. Read from CSV, or
 * made by synthetic-trace.ts; images.ts gives each template its images.
 */
import { DEFAULT_SIZE, type PodSize } from '../core/kubernetes/pod-requests.ts';

export interface TracePod extends PodSize {
  /** Stands for one template: the pods of one key have the same images, until its tag changes. */
  readonly key: string;
  readonly namespace: string;
  /** Seconds since the beginning of the trace. */
  readonly created: number;
  /** Undefined: the pod still ran at the end. */
  readonly deleted: number | undefined;
  /** References as the pod writes them; undefined if the trace does not say. */
  readonly images: readonly string[] | undefined;
}

export interface Trace {
  /** The earliest first. */
  readonly pods: readonly TracePod[];
  /** Seconds since the beginning. */
  readonly end: number;
}

/** Thrown for a trace that cannot be read. */
export class TraceError extends Error {}

const DEFAULT_NAMESPACE = 'default';
const REQUIRED = ['key', 'created', 'deleted'] as const;
const OPTIONAL = ['namespace', 'cpu', 'memoryGib', 'images'] as const;
type Column = (typeof REQUIRED)[number] | (typeof OPTIONAL)[number];

/**
 * Reads a trace from CSV without quotes. The first line names the columns: `key,created,deleted`, in seconds, and if known
 * `namespace`, `cpu`, `memoryGib`, and `images`, separated by spaces.
 * @throws TraceError with the line and what is allowed
 */
export function readTrace(file: string, text: string): Trace {
  const [header = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const columns = header.split(',').map((each) => each.trim());
  const known = new Set<string>([...REQUIRED, ...OPTIONAL]);
  const unknown = columns.find((each) => !known.has(each));
  const missing = REQUIRED.find((each) => !columns.includes(each));
  if (unknown !== undefined || missing !== undefined) {
    const wrong =
      missing === undefined ? `has a column ${JSON.stringify(unknown)}` : `has no column ${missing}`;
    throw new TraceError(`${file}:1: ${wrong}; it must have ${REQUIRED.join()}, may have ${OPTIONAL.join()}`);
  }
  const pods = lines.flatMap((line, i) =>
    line.trim() === '' ? [] : [readPod(columns, line, `${file}:${i + 2}`)],
  );
  if (pods.length === 0) throw new TraceError(`${file}: has no pods`);
  return traceOf(pods);
}

/** Puts the pods into their order. */
export function traceOf(pods: readonly TracePod[]): Trace {
  const sorted = pods.toSorted((a, b) => a.created - b.created);
  const end = sorted.reduce((last, { created, deleted = 0 }) => Math.max(last, created, deleted), 0);
  return { pods: sorted, end };
}

function readPod(columns: readonly string[], line: string, where: string): TracePod {
  const cells = line.split(',').map((cell) => cell.trim());
  if (cells.length !== columns.length)
    throw new TraceError(`${where}: has ${cells.length} values; the first line names ${columns.length}`);
  const textOf = (column: Column): string | undefined => cells[columns.indexOf(column)] || undefined;
  const numberOf = (column: Column): number | undefined => {
    const text = textOf(column);
    const number = Number(text);
    if (text === undefined || (Number.isFinite(number) && number >= 0))
      return text === undefined ? undefined : number;
    throw new TraceError(`${where}: ${column} is ${JSON.stringify(text)}; it must be a number of 0 or more`);
  };
  const [key, created] = [textOf('key'), numberOf('created')];
  if (key === undefined || created === undefined)
    throw new TraceError(`${where}: key or created is empty; a pod needs both`);
  const deleted = numberOf('deleted');
  if (deleted !== undefined && deleted < created)
    throw new TraceError(`${where}: deleted is ${deleted}, before created, ${created}`);
  return {
    key,
    namespace: textOf('namespace') ?? DEFAULT_NAMESPACE,
    created,
    deleted,
    cpu: numberOf('cpu') ?? DEFAULT_SIZE.cpu,
    memoryGib: numberOf('memoryGib') ?? DEFAULT_SIZE.memoryGib,
    images: textOf('images')?.split(/ +/),
  };
}
