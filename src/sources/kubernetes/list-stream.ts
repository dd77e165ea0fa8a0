/**
 * Reads a list from a stream: parses each object as soon as its bytes are complete, and then the list's own metadata.
 * To parse a whole page of large objects at once would block the event loop for long.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isObject, readText, type JsonObject } from '../../core/kubernetes/json.ts';

export interface ListEnd {
  /** Where a watch may start. */
  readonly resourceVersion: string;
  /** The token of the next page; undefined after the last. */
  readonly continue: string | undefined;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [BRACE, BRACKET, END_OF_BRACE, END_OF_BRACKET] = [0x7b, 0x5b, 0x7d, 0x5d];

/**
 * @param onItem called for each object in the list
 * @throws Error if the stream holds no list, or ends before the list is complete
 */
export async function readList(
  chunks: AsyncIterable<Buffer>,
  onItem: (object: JsonObject) => void,
): Promise<ListEnd> {
  const splitter = new ListSplitter(onItem);
  for await (const chunk of chunks) {
    splitter.take(chunk);
    // All chunks of a page may arrive together; between them, other work of the process can run.
    await nextTurn();
  }
  return splitter.end();
}

/**
 * A list is an object (depth 1) with an array `items` (depth 2) of objects (depth 3). The splitter cuts the objects at
 * depth 3 out; the bytes around them are a list with no items, which has the metadata.
 */
class ListSplitter {
  readonly #onItem: (object: JsonObject) => void;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Whether the container at depth 2 is an array. */
  #inItems = false;
  #inItem = false;
  /** The bytes of the current item, and of the list around the items. */
  #item: Buffer[] = [];
  readonly #list: Buffer[] = [];

  constructor(onItem: (object: JsonObject) => void) {
    this.#onItem = onItem;
  }

  take(chunk: Buffer): void {
    /** Where the bytes begin that are not stored yet. */
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (this.#isWithinString(byte)) continue;
      if (byte === BRACE || byte === BRACKET) {
        if (!this.#opensItem(byte)) continue;
        this.#list.push(chunk.subarray(from, at));
        from = at;
      } else if (byte === END_OF_BRACE || byte === END_OF_BRACKET) {
        if (!this.#closesItem()) continue;
        this.#item.push(chunk.subarray(from, at + 1));
        from = at + 1;
        this.#complete();
      } else if (byte === COMMA && this.#depth === 2 && this.#inItems) {
        this.#list.push(chunk.subarray(from, at));
        from = at + 1;
      }
    }
    (this.#inItem ? this.#item : this.#list).push(chunk.subarray(from));
  }

  end(): ListEnd {
    const list = parse(this.#list);
    const metadata = isObject(list) ? list['metadata'] : undefined;
    const version = isObject(metadata) ? readText(metadata['resourceVersion']) : undefined;
    if (!isObject(metadata) || version === undefined) throw new Error('the answer is no list of objects');
    return { resourceVersion: version, continue: readText(metadata['continue']) };
  }

  /** Whether the byte belongs to a string, quotes included; must see every byte in order. */
  #isWithinString(byte: number): boolean {
    if (!this.#inString) return (this.#inString = byte === QUOTE);
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
    return true;
  }

  #opensItem(byte: number): boolean {
    this.#depth += 1;
    if (this.#depth === 2) this.#inItems = byte === BRACKET;
    if (this.#depth !== 3 || !this.#inItems || byte !== BRACE) return false;
    return (this.#inItem = true);
  }

  #closesItem(): boolean {
    this.#depth -= 1;
    if (this.#depth !== 2 || !this.#inItem) return false;
    this.#inItem = false;
    return true;
  }

  #complete(): void {
    const item = parse(this.#item);
    this.#item = [];
    if (isObject(item)) this.#onItem(item);
  }
}

function parse(parts: readonly Buffer[]): unknown {
  const [first] = parts;
  const text = parts.length === 1 && first ? first : Buffer.concat(parts);
  return JSON.parse(text.toString('utf8'));
}
