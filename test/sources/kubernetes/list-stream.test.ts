/** The reader of lists finds the objects that JSON.parse finds, however the bytes are cut into chunks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/kubernetes/json.ts';
import { readList, type ListEnd } from '../../../src/sources/kubernetes/list-stream.ts';
import { inChunks } from '../../support/chunks.ts';

async function read(chunks: AsyncIterable<Buffer>): Promise<{ items: JsonObject[]; end: ListEnd }> {
  const items: JsonObject[] = [];
  const end = await readList(chunks, (object) => items.push(object));
  return { items, end };
}

const readText = (text: string): ReturnType<typeof read> => read(inChunks(text, []));

it('the reader gives the objects of a list in order, and then its resourceVersion and continue token', async () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const metadata = fc.record({
    resourceVersion: fc.stringMatching(/^\d{1,9}$/),
    continue: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
    selfLink: json,
  });
  const lists = fc.record({
    apiVersion: fc.string(),
    items: fc.array(fc.dictionary(fc.string(), json), { maxLength: 5 }),
    kind: fc.string(),
    metadata,
    more: json.filter((value) => !Array.isArray(value)),
  });
  const keyOrders = fc.shuffledSubarray(['apiVersion', 'items', 'kind', 'metadata', 'more'] as const, {
    minLength: 5,
  });
  const indents = fc.constantFrom(undefined, 2, '\t');
  await fc.assert(
    fc.asyncProperty(
      lists,
      keyOrders,
      indents,
      fc.array(fc.nat(), { maxLength: 20 }),
      async (list, order, indent, cuts) => {
        const text = JSON.stringify(Object.fromEntries(order.map((key) => [key, list[key]])), null, indent);
        const { items, end } = await read(inChunks(text, cuts));
        expect(items).toEqual((JSON.parse(text) as typeof list).items);
        expect(end).toEqual({
          resourceVersion: list.metadata.resourceVersion,
          continue: list.metadata.continue,
        });
      },
    ),
    { numRuns: 1000 },
  );
});

it('the reader gives each object as soon as the object is complete', async () => {
  const seen: unknown[] = [];
  const chunks = (async function* () {
    yield Buffer.from('{"items":[{"a":1},{"b"');
    expect(seen).toEqual([{ a: 1 }]);
    yield Buffer.from(':2}],"metadata":{"resourceVersion":"7"}}');
  })();
  await readList(chunks, (object) => seen.push(object));
  expect(seen).toEqual([{ a: 1 }, { b: 2 }]);
});

it('the reader lets other work of the process run between chunks', async () => {
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 0);
  const item = `{"a":"${'x'.repeat(60_000)}"}`;
  const text = `{"metadata":{"resourceVersion":"7"},"items":[${Array.from({ length: 300 }, () => item).join()}]}`;
  await read(
    inChunks(
      text,
      Array.from({ length: 300 }, (_, i) => i * 60_000),
    ),
  );
  clearInterval(counting);
  expect(turns).toBeGreaterThan(5);
});

it('the items may be null instead of an empty array, as Go writes them', async () => {
  const { items } = await readText('{"metadata":{"resourceVersion":"7"},"items":null}');
  expect(items).toEqual([]);
});

describe('the reader ends with an error at', () => {
  it.each([
    ['nothing', '', 'JSON'],
    ['an HTML page', '<html>', 'JSON'],
    ['a list of no objects', '[1,2]', 'no list of objects'],
    ['no resourceVersion', '{"metadata":{},"items":[]}', 'no list of objects'],
    ['an error that came with 200', '{"kind":"Status","metadata":{},"code":500}', 'no list of objects'],
    ['an end within an object', '{"metadata":{"resourceVersion":"7"},"items":[{"a":1},{"b":', 'JSON'],
    ['an end after an object', '{"metadata":{"resourceVersion":"7"},"items":[{"a":1},', 'JSON'],
    ['an object that is no JSON', '{"metadata":{"resourceVersion":"7"},"items":[{"a":}]}', 'JSON'],
    ['text after the list', '{"metadata":{"resourceVersion":"7"},"items":[]}{}', 'JSON'],
    ['brackets that do not match', '{"metadata":{"resourceVersion":"7"},"items":[{"a":1]}}', 'JSON'],
  ])('%s', async (_title, text, message) => {
    await expect(readText(text)).rejects.toThrow(message);
  });
});
