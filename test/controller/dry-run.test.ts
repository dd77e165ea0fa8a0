/** A controller that only says what it would do: each change once, and nothing of the use of caches. */
import { expect, it } from 'vitest';
import type { Cluster } from '../../src/controller/cluster.ts';
import { withoutWrites } from '../../src/controller/dry-run.ts';
import { ownCache } from '../support/own-cache.ts';

it('no change reaches the cluster, each is said once, and a record of use counts as written', async () => {
  const said: string[] = [];
  // Any call of the cluster would throw.
  const dry = withoutWrites({} as Cluster, (change, name, images) =>
    said.push([change, name, ...images].join(' ')),
  );
  const cache = ownCache('x', 0);
  const { signal } = new AbortController();
  const object = { metadata: { name: 'new' }, spec: { images: ['a:1'] } };
  for (let i = 0; i < 2; i++) {
    expect(await dry.create(object, signal)).toBe('outdated');
    expect(await dry.annotate(cache, { 'imagecache-webhook.io/retiring': 'Idle' }, signal)).toBe('outdated');
    expect(await dry.annotate(cache, { 'imagecache-webhook.io/retiring': null }, signal)).toBe('outdated');
    expect(await dry.annotate(cache, { 'imagecache-webhook.io/hits': '1' }, signal)).toBe('done');
    expect(await dry.delete(cache, signal)).toBe('outdated');
    dry.recordEvent({ apiVersion: '', kind: '', namespace: '', name: '', uid: '' }, 'Normal', 'R', 'm');
  }
  expect(said).toEqual(['create new a:1', 'mark x', 'unmark x', 'delete x']);
});
