/**
 * Reads a watch stream: one JSON object per line. A line that cannot be read may have been an event, so it ends the
 * stream, and the reflector continues from the last event that it knows.
 */
import { isObject, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { ApiError } from './api-client.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: JsonObject;
}

/** Thrown for bytes that no API server sends. */
export class MalformedStream extends Error {}

const NEWLINE = 0x0a;
/** Bytes. etcd stores at most 1.5 MiB an object; JSON and managedFields make it a few times as large at most. */
const LONGEST_LINE = 16 * 2 ** 20;

/**
 * The events of each chunk together, so that the reflector confirms its store once for each chunk.
 * @throws MalformedStream; ApiError for an ERROR event, such as 410 for a resourceVersion that is too old
 */
export async function* readWatchEvents(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly WatchEvent[]> {
  for await (const lines of readLines(chunks)) {
    const events: WatchEvent[] = [];
    try {
      for (const line of lines) if (line !== '') events.push(readEvent(line));
    } finally {
      // If a line cannot be read, the events before that line still count.
      if (events.length > 0) yield events;
    }
  }
}

/** The lines that end in each chunk. */
async function* readLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      lines.push(Buffer.concat(parts).toString('utf8'));
      parts = [];
      length = 0;
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    yield lines;
    if (length > LONGEST_LINE) throw new MalformedStream(`an event is longer than ${LONGEST_LINE} bytes`);
  }
  if (length > 0) throw new MalformedStream('the stream ended within an event');
}

function readEvent(line: string): WatchEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new MalformedStream(`an event is not JSON: ${messageOf(error)}`);
  }
  const { type, object } = isObject(value) ? value : {};
  if (!isObject(object)) throw new MalformedStream('an event has no object');
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type, object };
    case 'ERROR':
      throw new ApiError(
        typeof object['code'] === 'number' ? object['code'] : 500,
        readText(object['message']) ?? 'the watch failed',
      );
    default:
      throw new MalformedStream(`an event has the type ${JSON.stringify(type)}`);
  }
}
