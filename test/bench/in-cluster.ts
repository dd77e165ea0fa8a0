/** Measures pod creation through a real API server: with no webhook, with the floor, and with the built webhook. */
import {
  accountToken,
  createNamespace,
  putImageCache,
  register,
  startCluster,
} from '../e2e/support/cluster.ts';
import type { ApiServer } from '../e2e/support/api-server.ts';
import type { ControlPlane } from '../e2e/support/control-plane.ts';
import type { Json } from '../support/objects.ts';
import { median, takeTurns, type Row } from './measure.ts';
import { CERTIFICATE, startFloor, startWebhookProcess } from './processes.ts';
import { describeCaches } from './population.ts';
import { warmUp } from './load.ts';
import { makeReviews } from './reviews.ts';

const CACHES = 500;
/** Reviews of the warm-up, and below, pods of a turn. */
const REVIEWS = 4000;
const PODS = 75;
const CLIENTS = 10;
const LABEL = 'bench';

interface Creation {
  readonly perSecond: number;
  /** Milliseconds, as the client sees it. */
  readonly p50: number;
}

type Contestant = 'none' | 'floor' | 'ours';
type Turn = Readonly<Record<Contestant, Creation>>;

/**
 * @param turns in a round; in each turn the contestants create 75 pods each, in one order and then in the reverse
 * order, because the speed of the machine changes, and falls with the number of pods
 */
export async function measureInCluster(rounds: number, turns: number): Promise<Row[]> {
  await using plane = await startCluster();
  await putCaches(plane.api, CACHES);
  const token = await accountToken(plane.api);
  await createNamespace(plane.api, 'none');
  const [results] = await takeTurns(rounds, [(round) => compareOnce(plane, token, turns, round)]);
  const all = results!.flat();
  const of = (read: (turn: Turn) => number): number => median(all.map(read));
  const row = (what: string, unit: string, read: (turn: Turn) => number, more: Partial<Row> = {}): Row => ({
    section: 'cluster',
    what,
    figure: of(read),
    unit,
    ...more,
  });
  return [
    row('pods created, no webhook', '/s', ({ none }) => none.perSecond),
    row('pods created, floor', '/s', ({ floor }) => floor.perSecond, {
      ratio: of(({ floor, none }) => floor.perSecond / none.perSecond),
    }),
    row('pods created, ours', '/s', ({ ours }) => ours.perSecond, {
      ratio: of(({ ours, none }) => ours.perSecond / none.perSecond),
    }),
    row('p50, no webhook', 'ms', ({ none }) => none.p50),
    row('p50, floor', 'ms', ({ floor }) => floor.p50),
    row('p50, ours', 'ms', ({ ours }) => ours.p50, {
      ratio: of(({ ours, floor }) => ours.p50 / floor.p50),
      note: 'against the floor',
    }),
    row('what ours adds to p50, against what the floor adds', 'ms', ({ ours, none }) => ours.p50 - none.p50, {
      ratio: of(({ ours, none }) => ours.p50 - none.p50) / of(({ floor, none }) => floor.p50 - none.p50),
      goal: { atMost: 1.1 },
    }),
  ];
}

/**
 * Uses new processes, as serving.ts does. They are warmed up, because the API server sends hardly a tenth of the load
 * that they can take.
 */
async function compareOnce(
  { api, url, ca }: ControlPlane,
  token: string,
  turns: number,
  round: number,
): Promise<Turn[]> {
  using floor = await startFloor();
  using webhook = await startWebhookProcess({ url, ca, token });
  const reviews = makeReviews('hit', CACHES, REVIEWS);
  for (const server of [floor, webhook]) await warmUp(server, reviews);
  const namespaces = { none: 'none', floor: `floor-${round}`, ours: `ours-${round}` };
  for (const [name, { url: address }] of [
    [namespaces.floor, floor],
    [namespaces.ours, webhook],
  ] as const) {
    const namespaceLabels = { [LABEL]: name };
    await createNamespace(api, name, namespaceLabels);
    await register(api, name, { address }, { ca: CERTIFICATE.ca, resources: ['pods'], namespaceLabels });
  }
  const pods = reviews.slice(0, PODS).map((review) => toManifest(JSON.parse(review) as Review));
  const contestants = Object.values(namespaces).map((name) => () => createPods(api, name, pods));
  // Opens the connections of the API server.
  await takeTurns(1, contestants);
  const thereAndBack = await takeTurns(turns, [...contestants, ...contestants.toReversed()]);
  const [none, ofFloor, ours] = contestants.map((_, i) => {
    const back = thereAndBack[2 * contestants.length - 1 - i]!;
    return thereAndBack[i]!.map((there, turn) => meanOf(there, back[turn]!));
  });
  return none!.map((each, turn) => ({ none: each, floor: ofFloor![turn]!, ours: ours![turn]! }));
}

function meanOf(a: Creation, b: Creation): Creation {
  return { perSecond: (a.perSecond + b.perSecond) / 2, p50: (a.p50 + b.p50) / 2 };
}

interface Review {
  readonly request: { readonly object: Json };
}

/** The pod of a review as its author wrote it: the API server itself adds the volume of the token. */
function toManifest({ request: { object } }: Review): Json {
  const spec = object['spec'] as Json;
  const containers = (list: unknown): Json[] =>
    (list as Json[]).map((container) => ({ ...container, volumeMounts: undefined }));
  const { labels, annotations } = object['metadata'] as Json;
  return {
    metadata: { labels, annotations },
    spec: {
      ...spec,
      volumes: undefined,
      serviceAccountName: 'default',
      initContainers: containers(spec['initContainers']),
      containers: containers(spec['containers']),
    },
  };
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

let created = 0;

async function createPods(api: ApiServer, namespace: string, pods: readonly Json[]): Promise<Creation> {
  const milliseconds: number[] = [];
  const waiting = pods.map(({ metadata, spec }) => ({
    metadata: { ...(metadata as Json), name: `pod-${created++}` },
    spec,
  }));
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
  return { perSecond: pods.length / ((performance.now() - began) / 1000), p50: median(milliseconds) };
}
