/** Measures pod creation through a real API server: with no webhook, with the floor, and with the built webhook. */
import {
  accountToken,
  createNamespace,
  putImageCache,
  register,
  startCluster,
} from '../e2e/support/cluster.ts';
import type { ApiServer } from '../e2e/support/api-server.ts';
import type { Json } from '../support/objects.ts';
import { median, takeTurns, type Row } from './measure.ts';
import { CERTIFICATE, startFloor, startWebhookProcess } from './processes.ts';
import { describeCaches } from './population.ts';
import { makeReviews } from './reviews.ts';

const CACHES = 500;
const CLIENTS = 10;
const LABEL = 'bench';

interface Creation {
  readonly perSecond: number;
  /** Milliseconds, as the client sees it. */
  readonly p50: number;
}

/** @param pods of a round; a process runs slower for its first two thousand, until V8 has compiled what they need */
export async function measureInCluster(rounds: number, pods: number): Promise<Row[]> {
  await using plane = await startCluster();
  const { api } = plane;
  await putCaches(api, CACHES);
  using floor = await startFloor();
  using webhook = await startWebhookProcess({
    url: plane.url,
    ca: plane.ca,
    token: await accountToken(api),
  });
  for (const name of ['none', 'floor', 'ours']) await createNamespace(api, name, { [LABEL]: name });
  for (const [name, { url: address }] of [
    ['floor', floor],
    ['ours', webhook],
  ] as const) {
    const namespaceLabels = { [LABEL]: name };
    await register(api, name, { address }, { ca: CERTIFICATE.ca, resources: ['pods'], namespaceLabels });
  }
  const templates = makeReviews('hit', CACHES, pods).map(
    (review) => (JSON.parse(review) as { request: { object: Json } }).request.object,
  );
  const contestants = ['none', 'floor', 'ours'].map((name) => () => createPods(api, name, templates));
  await takeTurns(1, contestants);
  const results = await takeTurns(rounds, contestants);
  const [none, ofFloor, ours] = results.map((each) => ({
    perSecond: median(each.map(({ perSecond }) => perSecond)),
    p50: median(each.map(({ p50 }) => p50)),
  })) as [Creation, Creation, Creation];
  const row = (what: string, figure: number, unit: string, more: Partial<Row> = {}): Row => ({
    section: 'cluster',
    what,
    figure,
    unit,
    ...more,
  });
  return [
    row('pods created, no webhook', none.perSecond, '/s'),
    row('pods created, floor', ofFloor.perSecond, '/s', { ratio: ofFloor.perSecond / none.perSecond }),
    row('pods created, ours', ours.perSecond, '/s', { ratio: ours.perSecond / none.perSecond }),
    row('p50, no webhook', none.p50, 'ms'),
    row('p50, floor', ofFloor.p50, 'ms'),
    row('p50, ours', ours.p50, 'ms', { ratio: ours.p50 / ofFloor.p50, note: 'against the floor' }),
    row('what ours adds to p50, against what the floor adds', ours.p50 - none.p50, 'ms', {
      ratio: (ours.p50 - none.p50) / (ofFloor.p50 - none.p50),
      goal: { atMost: 1.1 },
    }),
  ];
}

/** @returns the names of the caches */
export async function putCaches(api: ApiServer, count: number): Promise<string[]> {
  const names: string[] = [];
  for (const { name, id, images, sizeGiB } of describeCaches(count)) {
    await putImageCache(api, { name, id, images, size: sizeGiB });
    names.push(name);
  }
  return names;
}

let rounds = 0;

async function createPods(api: ApiServer, namespace: string, templates: readonly Json[]): Promise<Creation> {
  const round = rounds++;
  const milliseconds: number[] = [];
  const waiting = templates.map((template, i) => {
    const spec = template['spec'] as Json;
    // The API server adds the token's volume itself.
    const containers = (list: unknown): Json[] =>
      (list as Json[]).map((container) => ({ ...container, volumeMounts: undefined }));
    const { labels, annotations } = template['metadata'] as Json;
    return {
      metadata: { name: `pod-${round}-${i}`, labels, annotations },
      spec: {
        ...spec,
        volumes: undefined,
        serviceAccountName: 'default',
        initContainers: containers(spec['initContainers']),
        containers: containers(spec['containers']),
      },
    };
  });
  const began = performance.now();
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (let pod = waiting.pop(); pod; pod = waiting.pop()) {
        const sent = performance.now();
        await api.create(`/api/v1/namespaces/${namespace}/pods`, pod);
        milliseconds.push(performance.now() - sent);
      }
    }),
  );
  return {
    perSecond: templates.length / ((performance.now() - began) / 1000),
    p50: median(milliseconds),
  };
}
