/**
 * Reads the Kubernetes objects of a YAML or JSON file, which may have any number of documents. Each object knows its
 * lines, so that an error message can name file and line.
 */
import {
  isNode,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  type CollectionTag,
  type Document,
  type DocumentOptions,
  type ParseOptions,
  type ScalarTag,
  type SchemaOptions,
} from 'yaml';
import { itemsOfList } from '../../core/kubernetes/object.ts';
import { messageOf, Unreadable } from '../../core/kubernetes/problem.ts';

/** A fault in a file, for people. */
export interface FileProblem {
  readonly file: string;
  /** Counted from 1; undefined if the whole file is at fault. */
  readonly line: number | undefined;
  readonly message: string;
}

export interface FileDocument {
  readonly value: unknown;
  /** The line of the part of the document with this path, such as `spec.images[1]`, or of the closest part above it. */
  readonly lineOf: (path: string) => number;
}

export interface FileReading {
  readonly documents: readonly FileDocument[];
  /** The first syntax error of each broken document. If there is one, the documents must not be used. */
  readonly syntaxErrors: readonly FileProblem[];
}

/**
 * YAML as kubectl reads it (YAML 1.1), in which an unquoted yes, no, on or off is a boolean; but a date or a time of
 * day stays a text.
 */
const AS_KUBECTL: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.1',
  customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || !isTime(tag)),
};

function isTime({ tag, format }: ScalarTag | CollectionTag): boolean {
  return tag === 'tag:yaml.org,2002:timestamp' || format === 'TIME';
}

/** Parses a file. Empty documents are left out, and lists (`kind: List`, as kubectl prints them) are taken apart. */
export function readDocuments(file: string, text: string): FileReading {
  return (/\.json$/i.test(file) ? readJson(text) : undefined) ?? readYaml(file, text);
}

/** Twenty times as fast as the YAML parser, which is used only for line numbers and for broken JSON. */
function readJson(text: string): FileReading | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const lines = new LineCounter();
    // Parsed once, for the first line that is asked for.
    let parsed: Document | undefined;
    const lineOf = (path: string): number => {
      parsed ??= parseDocument(text, { lineCounter: lines });
      return lines.linePos(offsetOf(parsed, path)).line;
    };
    return { documents: takeApart(value, lineOf), syntaxErrors: [] };
  } catch {
    // The YAML parser reads JSON too, and says where it is broken.
    return undefined;
  }
}

function readYaml(file: string, text: string): FileReading {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { ...AS_KUBECTL, lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line;

  const syntaxErrors: FileProblem[] = [];
  const documents: FileDocument[] = [];
  for (const document of parsed) {
    const [error] = document.errors;
    if (error) {
      syntaxErrors.push({ file, line: lineAt(error.pos[0]), message: error.message });
      continue;
    }
    const lineOf = (path: string): number => lineAt(offsetOf(document, path));
    try {
      documents.push(...takeApart(document.toJS(), lineOf));
    } catch (fault) {
      // An alias without an anchor, or so many aliases that they would fill the memory.
      syntaxErrors.push({ file, line: lineOf(''), message: messageOf(fault) });
    }
  }
  return { documents, syntaxErrors };
}

function takeApart(value: unknown, lineOf: (path: string) => number): FileDocument[] {
  if (value === null || value === undefined) return [];
  return (
    itemsOfList(value)?.map((item, i) => ({
      value: item,
      lineOf: (path) => lineOf(`items[${i}].${path}`),
    })) ?? [{ value, lineOf }]
  );
}

/** The position of a path in the text, or of the longest part of the path that exists. */
function offsetOf(document: Document, path: string): number {
  const steps = stepsOf(path);
  for (let length = steps.length; length > 0; length--) {
    const node: unknown = document.getIn(steps.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return isNode(document.contents) && document.contents.range ? document.contents.range[0] : 0;
}

/** The keys of `spec.images[1]` or `metadata.annotations[k8s.aliyun.com/eci-imc-id]`, which may have quotes. */
function stepsOf(path: string): (string | number)[] {
  return Array.from(path.matchAll(/\["?([^\]"]*)"?\]|[^.[\]]+/g), ([step, inBrackets]) =>
    inBrackets !== undefined && /^\d+$/.test(inBrackets) ? Number(inBrackets) : (inBrackets ?? step),
  );
}

/** The problem of a document. Any error becomes a problem, so that a faulty object does not stop the others. */
export function toProblem(file: string, document: FileDocument, error: unknown): FileProblem {
  const path = error instanceof Unreadable ? error.path : '';
  return { file, line: document.lineOf(path), message: messageOf(error) };
}

export function formatProblem({ file, line, message }: FileProblem): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`;
}
