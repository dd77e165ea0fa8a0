/**
 * Faults between the webhook and the API server. Each test changes the cluster during a fault and asks the webhook all
 * the time: no answer may be older than maxStaleness, and after the fault the answers must follow the cluster again,
 * without a restart.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import { podObject } from '../support/objects.ts';
import {
  accountToken,
  IMAGE_CACHES,
  startCluster,
  putImageCache,
  setStatus,
  startInCluster,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { startProxy, type Fault, type FaultyProxy } from './support/proxy.ts';

const MAX_STALENESS = 4000;
/** Milliseconds by which an observation may be late, because a request takes time on a busy machine. */
const TOLERANCE = 1000;

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startCluster();
});
afterAll(async () => {
  await plane?.stop();
});

type Answer = 'before' | 'after' | 'left to ECI' | 'none';

/** A webhook with its own proxy to the API server, so that tests can run at the same time. */
interface Scene extends AsyncDisposable {
  readonly proxy: FaultyProxy;
  readonly webhook: WebhookInCluster;
  /** Asks the webhook. @returns its answer at present */
  readonly ask: () => Promise<Answer>;
  /** Makes the first cache Failed and the second cache Ready. */
  readonly change: () => Promise<void>;
}

let scenes = 0;

/** Makes two caches for one image: the first is Ready now, and the second becomes Ready by `change`. */
async function prepare(): Promise<Scene> {
  scenes += 1;
  const [image, before, after] = [`scene-${scenes}:1`, `before-${scenes}`, `after-${scenes}`];
  const proxy = await startProxy(plane);
  const webhook = await startInCluster(plane, { maxStaleness: `${MAX_STALENESS}ms` }, proxy);
  await webhook.synced;
  await putImageCache(plane.api, { name: before, images: [image] });
  await putImageCache(plane.api, { name: after, images: [image], phase: 'Creating' });
  const review = admissionReview(podObject({ images: [image] }));
  const ask = async (): Promise<Answer> => {
    const { auditAnnotations } = await webhook.review(review);
    if (auditAnnotations?.['reason'] === 'IndexStale') return 'left to ECI';
    const cache = auditAnnotations?.['image-cache'];
    return cache === `imc-${before}` ? 'before' : cache === `imc-${after}` ? 'after' : 'none';
  };
  await eventually(async () => expect(await ask()).toBe('before'));
  const change = async (): Promise<void> => {
    await setStatus(plane.api, before, { phase: 'Failed' });
    await setStatus(plane.api, after, { phase: 'Ready' });
  };
  const end = async (): Promise<void> => {
    await webhook.stop();
    await proxy.close();
  };
  return { proxy, webhook, ask, change, [Symbol.asyncDispose]: end };
}

interface Observation {
  /** Milliseconds since the observation began. */
  readonly at: number;
  readonly answer: Answer;
}

/** Asks the webhook until the returned function is called. */
function observe({ ask }: Scene): () => Promise<Observation[]> {
  const began = performance.now();
  const observations: Observation[] = [];
  let going = true;
  const asking = (async () => {
    // oxlint-disable-next-line no-unmodified-loop-condition -- it is, by the function returned
    while (going) {
      const answer = await ask();
      observations.push({ at: performance.now() - began, answer });
      await sleep(40);
    }
  })();
  return async () => {
    going = false;
    await asking;
    return observations;
  };
}

/** When an answer was given for the last time; 0 if it never was. */
function lastOf(answer: Answer, observations: readonly Observation[]): number {
  return observations.findLast((each) => each.answer === answer)?.at ?? 0;
}

/** Waits until the answer follows the cluster again. @returns how long that took, in milliseconds */
async function untilTrue({ ask }: Scene): Promise<number> {
  const began = performance.now();
  await eventually(async () => expect(await ask()).toBe('after'), 30_000);
  return performance.now() - began;
}

/** How many requests there were since then for the kind that was requested most. */
function mostRequestsOfAKind({ proxy }: Scene, since: number): number {
  const counts = new Map<string, number>();
  for (const { path, at } of proxy.seen) if (at >= since) counts.set(path, (counts.get(path) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

const answerWith =
  (status: number, headers: Record<string, string> = {}, body: unknown = { kind: 'Status', message: 'no' }) =>
  (answer: ServerResponse): 'handled' => {
    answer.writeHead(status, { 'content-type': 'application/json', ...headers });
    answer.end(typeof body === 'string' ? body : JSON.stringify(body));
    return 'handled';
  };

const onAll =
  (act: (answer: ServerResponse) => 'handled'): Fault =>
  (_request, answer) =>
    act(answer);
const onWatches =
  (act: (answer: ServerResponse) => 'handled'): Fault =>
  ({ isWatch }, answer) =>
    isWatch ? act(answer) : undefined;

/** Sends headers, and never a body. */
function accept(answer: ServerResponse): 'handled' {
  answer.writeHead(200).flushHeaders();
  return 'handled';
}

describe.concurrent('while no data come from the API server', () => {
  const LASTS = MAX_STALENESS + 3000;

  it.each<[string, (proxy: FaultyProxy) => unknown, (proxy: FaultyProxy) => unknown]>([
    ['connections are refused', (proxy) => proxy.close(), (proxy) => proxy.open()],
    ['connections hang, and no FIN ever comes', (proxy) => proxy.hang(), (proxy) => proxy.recover()],
    [
      'every request is answered with 429 and Retry-After',
      (proxy) => (proxy.fault = onAll(answerWith(429, { 'retry-after': '1' }))),
      (proxy) => (proxy.fault = undefined),
    ],
    [
      'every request is answered with 503 and Retry-After',
      (proxy) => (proxy.fault = onAll(answerWith(503, { 'retry-after': '1' }))),
      (proxy) => (proxy.fault = undefined),
    ],
    [
      'every request is answered with 500',
      (proxy) => (proxy.fault = onAll(answerWith(500))),
      (proxy) => (proxy.fault = undefined),
    ],
    [
      'every request is accepted, and nothing follows',
      (proxy) => (proxy.fault = onAll(accept)),
      (proxy) => (proxy.fault = undefined),
    ],
    [
      'every request is answered with the page of another server',
      (proxy) => (proxy.fault = onAll(answerWith(200, {}, '<html>Welcome to nginx!</html>\n'))),
      (proxy) => (proxy.fault = undefined),
    ],
  ])(
    '%s: pods are left to ECI after maxStaleness, and decided again soon after the fault, with few requests',
    async (_title, begin, end) => {
      await using scene = await prepare();
      const stop = observe(scene);
      const since = Date.now();
      const { proxy, webhook } = scene;
      await begin(proxy);
      // Open watches must meet the fault too; a hanging connection must not be closed.
      if (proxy.fault) proxy.endWatches();
      await scene.change();
      await sleep(LASTS);
      const observations = await stop();
      expect(lastOf('before', observations)).toBeLessThan(MAX_STALENESS + TOLERANCE);
      expect(observations.at(-1)?.answer).toBe('left to ECI');
      expect(observations.map(({ answer }) => answer)).not.toContain('none');
      expect(mostRequestsOfAKind(scene, since)).toBeLessThan(15);
      const { body, status } = await webhook.get('/readyz');
      expect([status, (body as { status: string }).status]).toEqual([200, expect.stringContaining('stale')]);

      await end(proxy);
      expect(await untilTrue(scene)).toBeLessThan(MAX_STALENESS);
      // The list has delivered the change; the end of the fault is logged once the next watch has lasted for a moment.
      await eventually(() =>
        expect(webhook.logged.map(({ step }) => String(step))).toContainEqual(
          expect.stringMatching(/^ImageCache: up to date again after \d/),
        ),
      );
    },
  );
});

describe.concurrent('while lists work and watches do not', () => {
  const LASTS = MAX_STALENESS + 3000;

  it.each<[string, (proxy: FaultyProxy) => unknown]>([
    ['each watch is closed at once', (proxy) => (proxy.fault = onWatches(answerWith(200, {}, '')))],
    ['each watch is refused with 410 Gone', (proxy) => (proxy.fault = onWatches(answerWith(410)))],
    [
      'each watch begins with an ERROR of code 410',
      (proxy) =>
        (proxy.fault = onWatches(
          answerWith(
            200,
            {},
            `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410 } })}\n`,
          ),
        )),
    ],
    [
      'each watch begins with garbage',
      (proxy) => (proxy.fault = onWatches(answerWith(200, {}, '{"type":"MODIFIED","object":{"metadata":\n'))),
    ],
    ['the bytes of each watch are garbage', (proxy) => (proxy.garble = () => Buffer.from('\u0000\n'))],
  ])('%s: lists keep the answers up to date, with few requests', async (_title, begin) => {
    await using scene = await prepare();
    const stop = observe(scene);
    const since = Date.now();
    begin(scene.proxy);
    scene.proxy.endWatches();
    await scene.change();
    const took = await untilTrue(scene);
    await sleep(LASTS - took);
    const observations = await stop();
    expect(took).toBeLessThan(MAX_STALENESS);
    expect(observations.map(({ answer }) => answer)).not.toContain('left to ECI');
    expect(mostRequestsOfAKind(scene, since)).toBeLessThan(30);
  });
});

describe.concurrent('while watches are accepted, and then bring nothing', () => {
  it('the old answer is given for at most maxStaleness, and soon after that a list brings the new state', async () => {
    await using scene = await prepare();
    const stop = observe(scene);
    scene.proxy.fault = onWatches(accept);
    scene.proxy.endWatches();
    await scene.change();
    await untilTrue(scene);
    const observations = await stop();
    expect(lastOf('before', observations)).toBeLessThan(MAX_STALENESS + TOLERANCE);
    expect(lastOf('left to ECI', observations)).toBeLessThan(2 * MAX_STALENESS);
  });
});

describe('a token that is no longer valid', () => {
  it('is replaced by the token that the kubeconfig has by then', async () => {
    await using scene = await prepare();
    const account = '/api/v1/namespaces/imagecache-webhook/serviceaccounts';
    await plane.api.remove(`${account}/imagecache-webhook`);
    await plane.api.create(account, { metadata: { name: 'imagecache-webhook' } });
    // The API server accepts a token for some seconds after its account was deleted.
    await eventually(
      () =>
        expect(scene.webhook.logged.map(({ problem }) => String(problem))).toContainEqual(
          expect.stringMatching(/^ImageCache: HTTP 401/),
        ),
      30_000,
    );
    await scene.change();
    expect(await scene.ask()).not.toBe('after');
    scene.webhook.renewToken(await accountToken(plane.api));
    expect(await untilTrue(scene)).toBeLessThan(MAX_STALENESS);
  });
});

describe('the API server', () => {
  it('stopped by SIGSTOP: pods are left to ECI after maxStaleness, and decided again soon after SIGCONT', async () => {
    await using scene = await prepare();
    const stop = observe(scene);
    plane.signal('SIGSTOP');
    await sleep(MAX_STALENESS + 2000);
    const observations = await stop();
    plane.signal('SIGCONT');
    expect(lastOf('before', observations)).toBeLessThan(MAX_STALENESS + TOLERANCE);
    expect(observations.at(-1)?.answer).toBe('left to ECI');
    await scene.change();
    expect(await untilTrue(scene)).toBeLessThan(MAX_STALENESS);
  });

  it('killed and started again: pods are left to ECI meanwhile, and decided again afterwards', async () => {
    await using scene = await prepare();
    const stop = observe(scene);
    await plane.restartApiServer(() => sleep(MAX_STALENESS + 1000));
    await scene.change();
    // How long a start takes depends on the machine.
    await untilTrue(scene);
    const observations = await stop();
    expect(observations.map(({ answer }) => answer)).toContain('left to ECI');
  });

  it('whose history was compacted meanwhile (410 Gone) is listed anew', async () => {
    await using scene = await prepare();
    const { proxy, webhook } = scene;
    await proxy.close();
    await scene.change();
    // Deleted while the webhook has no connection, so that only a list can show it.
    await plane.api.remove(`${IMAGE_CACHES}/before-1`);
    await plane.compact();
    // With its cache for watches, the API server may still know revisions that etcd has removed.
    await plane.restartApiServer(undefined, ['--watch-cache=false']);
    const since = Date.now();
    await proxy.open();
    await untilTrue(scene);
    const asked = proxy.seen.filter(({ at, path }) => at >= since && path === IMAGE_CACHES);
    expect(asked.map(({ isWatch }) => isWatch).slice(0, 2)).toEqual([true, false]);
    await eventually(async () => {
      const { body } = await webhook.get('/readyz');
      const { items } = await plane.api.get(IMAGE_CACHES);
      expect((body as { kinds: unknown[] }).kinds).toContainEqual(
        expect.objectContaining({ kind: 'ImageCache', objects: (items as unknown[]).length }),
      );
    });
  });
});
