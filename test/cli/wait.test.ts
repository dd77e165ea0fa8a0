/** `imc wait`, against a folder in which caches become Ready, or do not. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { once } from 'node:events';
import { eventually } from '../support/eventually.ts';
import { imcHere as imc, killRunning, start, type Result } from '../support/imc.ts';
import { cacheObject, type CacheSpec } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => {
  killRunning();
  folder.remove();
});

const put = (cache: CacheSpec): void =>
  folder.write(`${cache.name}.yaml`, JSON.stringify(cacheObject(cache)));
const wait = (args: readonly string[], input = ''): Promise<Result> =>
  imc(['wait', ...args, '--source', `files:${folder.path}`], input);

describe('imc wait', () => {
  it('ends with 0 when all caches are Ready, and says how far each is', async () => {
    put({ name: 'a' });
    put({ name: 'b', phase: 'Creating', progress: '40%' });
    const child = start(['wait', 'a', 'imagecache/b', '--source', `files:${folder.path}`]);
    let out = '';
    child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await eventually(() => expect(out).toBe('a: Ready\nb: Creating 40%\n'));
    const ended = once(child, 'close');
    put({ name: 'b' });
    expect(await ended).toEqual([0, null]);
    expect(out).toBe('a: Ready\nb: Creating 40%\nb: Ready\n');
  });

  it.each<[string, CacheSpec | undefined, string]>([
    ['has failed', { name: 'a', phase: 'Failed' }, 'ImageCache a: it is Failed'],
    ['is being deleted', { name: 'a', deleting: true }, 'ImageCache a: it is being deleted'],
    ['does not exist', undefined, 'ImageCache a: there is no such ImageCache'],
  ])('ends with 1 at once if a cache %s', async (_title, cache, message) => {
    if (cache) put(cache);
    put({ name: 'b', phase: 'Creating' });
    const { code, err } = await wait(['b', 'a']);
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
  });

  it('ends with 1 when the time is over', async () => {
    put({ name: 'a', phase: 'Creating', progress: '40%' });
    put({ name: 'without-id', id: null });
    expect(await wait(['a', 'without-id', '--timeout', '0'])).toEqual({
      code: 1,
      out: 'a: Creating 40%\nwithout-id: Ready\n',
      err: 'imc wait: not Ready within 0: a, without-id\n',
    });
  });

  it('takes names as kubectl does', async () => {
    put({ name: 'a' });
    expect(await wait(['imagecache', 'a'])).toEqual({ code: 0, out: 'a: Ready\n', err: '' });
  });

  it('takes the ImageCaches of a manifest', async () => {
    put({ name: 'a' });
    const manifest = `${JSON.stringify(cacheObject({ name: 'a' }))}\n---\n{"apiVersion":"v1","kind":"Pod"}`;
    expect(await wait(['-f', '-'], manifest)).toEqual({ code: 0, out: 'a: Ready\n', err: '' });
  });

  it.each([
    [[], 2, 'no ImageCache: give names, or -f FILE'],
    [['a', '-f', 'x'], 2, 'give names, or files with -f, not both'],
    [['-f', 'package.json'], 1, 'no ImageCache in package.json'],
    [['-f', '-'], 1, 'standard input:1: metadata.name is missing'],
    [['-f', '-'], 1, 'no ImageCache in -'],
    [['a', '--timeout', 'soon'], 2, '--timeout is "soon"; it must be a duration'],
  ])('%j ends with %i: %s', async (args, code, message) => {
    const nameless =
      '{"apiVersion":"eci.alibabacloud.com/v1","kind":"ImageCache","metadata":{"generateName":"x-"}}';
    const input = message.includes('metadata.name') ? nameless : '';
    expect(await wait(args, input)).toMatchObject({ code, err: expect.stringContaining(message) as string });
  });
});
