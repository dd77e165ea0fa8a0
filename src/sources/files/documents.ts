/**
 * Owns the reading of one file: YAML or JSON text with any number of documents, to Kubernetes objects, each with the
 * line where it stands, so that a fault can be named by file and line.
 */
import { isNode, LineCounter, parseAllDocuments, type Document } from 'yaml';
import { isObject, Unreadable } from '../../core/string-map.ts';

/** A fault in a file, for people. */
export interface FileProblem {
  readonly file: string;
  /** 1-based; undefined where the file as a whole is at fault. */
  readonly line: number | undefined;
  readonly message: string;
}

export interface FileDocument {
  readonly value: unknown;
  /** The line of the part of the document that a path such as `spec.images[1]` names, or of what comes closest. */
  readonly lineOf: (path: string) => number;
}

export interface FileReading {
  readonly documents: readonly FileDocument[];
  /** The first syntax error of each broken document. Where there is one, the documents are not to be trusted. */
  readonly syntaxErrors: readonly FileProblem[];
}

/** Parses a file. Empty documents are left out, and lists (`kind: List`, as kubectl prints) are taken apart. */
export function readDocuments(file: string, text: string): FileReading {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line;

  const syntaxErrors: FileProblem[] = [];
  const documents: FileDocument[] = [];
  for (const document of parsed) {
    const [error] = document.errors;
    if (error) syntaxErrors.push({ file, line: lineAt(error.pos[0]), message: error.message });
    else if (document.contents !== null) documents.push(...takeApart(document, lineAt));
  }
  return { documents, syntaxErrors };
}

function takeApart(document: Document, lineAt: (offset: number) => number): FileDocument[] {
  const value: unknown = document.toJS();
  const lineOf = (path: string): number => lineAt(offsetOf(document, path));
  if (
    isObject(value) &&
    typeof value['kind'] === 'string' &&
    value['kind'].endsWith('List') &&
    Array.isArray(value['items'])
  ) {
    return value['items'].map((item: unknown, i) => ({
      value: item,
      lineOf: (path) => lineOf(`items[${i}].${path}`),
    }));
  }
  return [{ value, lineOf }];
}

/** Where a path begins in the text, or the longest part of it that exists. */
function offsetOf(document: Document, path: string): number {
  const steps = path.match(/[^.[\]]+/g) ?? [];
  for (let length = steps.length; length > 0; length--) {
    const keys = steps.slice(0, length).map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    const node: unknown = document.getIn(keys, true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return isNode(document.contents) && document.contents.range ? document.contents.range[0] : 0;
}

/** What went wrong, as a problem of a file. */
export function toProblem(file: string, document: FileDocument, error: unknown): FileProblem {
  if (!(error instanceof Unreadable)) throw error;
  return { file, line: document.lineOf(error.path), message: error.message };
}

export function formatProblem({ file, line, message }: FileProblem): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`;
}
