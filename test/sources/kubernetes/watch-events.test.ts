/** The reader of watches gives the same events however the bytes are cut, and skips nothing but empty lines. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../src/sources/kubernetes/api-client.ts';
import {
  MalformedStream,
  readWatchEvents,
  type WatchEvent,
} from '../../../src/sources/kubernetes/watch-events.ts';
import { inChunks } from '../../support/chunks.ts';

function read(text: string, cuts: readonly number[] = []): Promise<WatchEvent[]> {
  return collect(inChunks(text, cuts));
}

async function collect(stream: AsyncIterable<Buffer>): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  for await (const together of readWatchEvents(stream)) events.push(...together);
  return events;
}

const added = (name: string): WatchEvent => ({ type: 'ADDED', object: { metadata: { name } } });
const line = (event: unknown): string => `${JSON.stringify(event)}\n`;

it('the events are the same whatever the chunks are, also if a chunk ends within a character', async () => {
  const events = fc.array(fc.string({ unit: 'grapheme' }).map(added), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(events, fc.array(fc.nat(), { maxLength: 20 }), async (expected, cuts) => {
      expect(await read(expected.map(line).join(''), cuts)).toEqual(expected);
    }),
  );
});

it('a watch may have empty lines', async () => {
  expect(await read(`\n${line(added('a'))}\n\n`)).toEqual([added('a')]);
});

describe('a watch ends with an error at', () => {
  it.each([
    ['a line that is not JSON', 'HTTP/1.1 200 OK\n', 'is not JSON'],
    ['an event that was cut', '{"type":"ADDED","obj', 'the stream ended within an event'],
    ['an event without a type', line({ object: {} }), 'has the type undefined'],
    ['an unknown type', line({ type: 'RENAMED', object: {} }), 'has the type "RENAMED"'],
    ['an event without an object', line({ type: 'ADDED' }), 'has no object'],
    ['JSON that is no event', '[]\n', 'has no object'],
  ])('%s', async (_title, text, message) => {
    const reading = read(line(added('a')) + text);
    await expect(reading).rejects.toThrow(MalformedStream);
    await expect(reading).rejects.toThrow(message);
  });

  it('an event that does not end, before it fills the memory', async () => {
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(2 ** 20, 'x');
    })();
    await expect(collect(endless)).rejects.toThrow(MalformedStream);
  });

  it('an ERROR event, with its code', async () => {
    const status = { kind: 'Status', code: 410, message: 'too old resource version' };
    await expect(read(line({ type: 'ERROR', object: status }))).rejects.toThrow(
      new ApiError(410, 'too old resource version'),
    );
    await expect(read(line({ type: 'ERROR', object: {} }))).rejects.toMatchObject({ status: 500 });
  });

  it('a line that is not JSON, after the events before that line', async () => {
    const seen: WatchEvent[] = [];
    const stream = (async function* () {
      yield Buffer.from(`${line(added('a'))}garbage\n${line(added('b'))}`);
    })();
    await expect(
      (async () => {
        for await (const together of readWatchEvents(stream)) seen.push(...together);
      })(),
    ).rejects.toThrow(MalformedStream);
    expect(seen).toEqual([added('a')]);
  });
});
