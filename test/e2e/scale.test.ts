/** The kubernetes source with many and large objects, and with a pod that follows an event at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import { podObject } from '../support/objects.ts';
import {
  IMAGE_CACHES,
  startCluster,
  putImageCache,
  setStatus,
  startInCluster,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { startProxy } from './support/proxy.ts';

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startCluster();
});
afterAll(() => plane?.stop());

async function imageCaches(webhook: WebhookInCluster): Promise<number | undefined> {
  const { body } = await webhook.get('/readyz');
  const { kinds } = body as { kinds: { kind: string; objects: number }[] };
  return kinds.find(({ kind }) => kind === 'ImageCache')?.objects;
}

describe('a Ready cache is used by the next pod', () => {
  const SILENCE = 12_000;
  const FLIPS = 100;

  it('almost as soon as a plain watcher sees it, also after a silence with renewed watches', async () => {
    await putImageCache(plane.api, { name: 'flip', images: ['flip:1'], phase: 'Creating' });
    await using webhook = await startInCluster(plane, { maxStaleness: '3s' });
    await webhook.synced;
    await sleep(SILENCE);
    const review = admissionReview(podObject({ images: ['flip:1'] }));
    const ask = async (): Promise<boolean> =>
      (await webhook.review(review)).auditAnnotations?.['reason'] === 'BestMatch';

    /** Resolved when a plain watcher has received the event; the floor is the time until then and one answer. */
    let arrived = Promise.withResolvers<void>();
    const endWatch = await plane.api.watch(IMAGE_CACHES, () => arrived.resolve());
    let [ours, floor] = [0, 0];
    for (let i = 0; i < FLIPS; i++) {
      const isReady = i % 2 === 0;
      arrived = Promise.withResolvers();
      await setStatus(plane.api, 'flip', { phase: isReady ? 'Ready' : 'Creating' });
      const began = performance.now();
      if (i % 4 < 2) {
        while ((await ask()) !== isReady);
        ours += performance.now() - began;
      } else {
        await arrived.promise;
        await ask();
        floor += performance.now() - began;
        await eventually(async () => expect(await ask()).toBe(isReady));
      }
    }
    endWatch();
    expect(ours / floor).toBeLessThan(2);
  });
});

describe('a list', () => {
  const CACHES = 1200;
  /** What ECI keeps in a status: events, up to 50. */
  const events = Array.from({ length: 50 }, (_, i) => ({
    type: 'Normal',
    reason: 'Pulling',
    message: `layer ${i} ${'x'.repeat(100)}`,
    count: 1,
  }));

  it('of large objects comes in pages, begins anew if its continue token expires, and is complete', async () => {
    const numbers = Array.from({ length: CACHES }, (_, i) => i);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        for (let i = numbers.pop(); i !== undefined; i = numbers.pop()) {
          await putImageCache(plane.api, { name: `many-${i}`, images: [`many:${i}`] });
          await setStatus(plane.api, `many-${i}`, { events });
        }
      }),
    );
    await using proxy = await startProxy(plane);
    let expired = 0;
    proxy.fault = ({ query }, answer) => {
      if (!query.has('continue') || expired > 0) return undefined;
      expired += 1;
      answer.writeHead(410, { 'content-type': 'application/json' });
      answer.end(JSON.stringify({ kind: 'Status', code: 410, message: 'continue is too old' }));
      return 'handled';
    };
    await using webhook = await startInCluster(plane, {}, proxy);
    await webhook.synced;
    expect(expired).toBe(1);
    const { items } = await plane.api.get(IMAGE_CACHES);
    expect(await imageCaches(webhook)).toBe((items as unknown[]).length);
    const pages = proxy.seen.filter(({ path, isWatch }) => path === IMAGE_CACHES && !isWatch);
    expect(pages.map(({ query }) => query.get('limit'))).toEqual(pages.map(() => '500'));
    // The page whose token expired, the first page twice, and the other pages once.
    expect(pages).toHaveLength(2 + Math.ceil(CACHES / 500));
    const watches = await eventually(() => {
      const seen = proxy.seen.filter(({ isWatch }) => isWatch);
      // All kinds but Selectors, which this cluster does not have.
      expect(seen).toHaveLength(4);
      return seen;
    });
    expect(watches.map(({ query }) => query.get('allowWatchBookmarks'))).toEqual(watches.map(() => 'true'));
    const review = admissionReview(podObject({ images: [`many:${CACHES - 1}`] }));
    expect((await webhook.review(review)).auditAnnotations).toMatchObject({
      'image-cache': `imc-many-${CACHES - 1}`,
    });
  });
});
