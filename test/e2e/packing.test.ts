/**
 * Packs on a real API server: the controller merges caches near its quota, also if it is killed on the way. `imc
 * simulate-eci` makes the caches. And what `imc replay` reads of a cluster.
 */
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { killRunning, start } from '../support/imc.ts';
import type { Json } from '../support/objects.ts';
import {
  IMAGE_CACHES,
  metadataOf,
  register,
  startCluster,
  startInCluster,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';

const PIN = 'k8s.aliyun.com/eci-imc-id';
const PODS = '/api/v1/namespaces/default/pods';
const EVENTS = '/api/v1/namespaces/default/events';
const NODE = 'virtual-kubelet';
const SIDECAR = 'registry.example/mesh/proxy:1';
const APPS = Array.from({ length: 9 }, (_, i) => `registry.example/app-${i}:1`);
const MIB = 2 ** 20;

let plane: ControlPlane;
let webhook: WebhookInCluster;

beforeAll(async () => {
  plane = await startCluster({});
  await plane.api.create('/api/v1/nodes', {
    metadata: { name: NODE, labels: { type: 'virtual-kubelet' } },
    // The sizes of the images: without them a cache might be larger than a pack may be.
    status: { images: [...APPS, SIDECAR].map((name) => ({ names: [name], sizeBytes: 100 * MIB })) },
  });
  webhook = await startInCluster(plane, {
    'server.apiServers': '127.0.0.0/8,::1',
    'createOnMiss.by': 'controller',
  });
  await webhook.synced;
  await register(plane.api, 'imagecache-webhook', webhook);
  start(['simulate-eci', '--source=kubernetes', `--kubeconfig=${plane.kubeconfig}`, '--creation-time=2s']);
});
afterAll(async () => {
  killRunning();
  await webhook?.stop();
  await plane?.stop();
});
afterEach(async () => {
  await plane.api.call('DELETE', `${PODS}?gracePeriodSeconds=0`);
});

const podOf = (name: string, app: string): Json => ({
  metadata: { name, labels: { 'alibabacloud.com/eci': 'true' } },
  spec: {
    nodeName: NODE,
    containers: [app, SIDECAR].map((image, i) => ({ name: `c${i}`, image })),
  },
});

/**
 * Creates a pod that has started: one that has not would need the cache that it was given for the image of the sidecar, and
 * which one that is depends on the second in which each was made.
 */
async function run(name: string, app: string): Promise<void> {
  await plane.api.create(PODS, podOf(name, app));
  await plane.api.merge(`${PODS}/${name}/status`, { status: { phase: 'Running' } });
}

function startController(...flags: readonly string[]): ChildProcess {
  return start([
    'controller',
    '--source=kubernetes',
    `--kubeconfig=${plane.kubeconfig}`,
    '--host=127.0.0.1',
    '--metrics-port=0',
    '--create-on-miss-by=controller',
    '--controller-quota=12',
    '--controller-lease-duration=2s',
    '--controller-webhook-timeout=1s',
    '--max-staleness=9s',
    ...flags,
  ]);
}

interface Cache {
  readonly name: string;
  readonly id: string | undefined;
  readonly phase: string | undefined;
  readonly images: readonly string[];
  readonly isMarked: boolean;
}

const caches = async (): Promise<Cache[]> =>
  (await plane.api.list(IMAGE_CACHES)).map((object) => {
    const { name, annotations } = metadataOf(object);
    const { phase, imageCacheId } = (object['status'] ?? {}) as { phase?: string; imageCacheId?: string };
    const { images } = object['spec'] as { images: string[] };
    return {
      name,
      id: imageCacheId,
      phase,
      images,
      isMarked: 'imagecache-webhook.io/retiring' in annotations,
    };
  });

/** What the webhook would give a new pod of an app now. */
async function givenTo(app: string): Promise<unknown> {
  const pod = await plane.api.create(`${PODS}?dryRun=All`, podOf('asks', app));
  return metadataOf(pod).annotations[PIN];
}

describe('a controller with controller.dryRun', () => {
  it('says which cache it would make, makes none, and takes no Lease', async () => {
    const controller = startController('--controller-dry-run=true');
    let out = '';
    controller.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await plane.api.create(PODS, podOf('first', APPS[0]!));
    await eventually(
      () => expect(out).toContain('dry run: the controller would change an ImageCache'),
      20_000,
    );
    const line = out.split('\n').find((each) => each.includes('dry run'));
    expect(JSON.parse(line!)).toMatchObject({ change: 'create', images: [APPS[0], SIDECAR] });
    expect(await caches()).toEqual([]);
    expect(
      await plane.api.list('/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'),
    ).not.toContainEqual(
      expect.objectContaining({
        metadata: expect.objectContaining({ name: 'imagecache-controller' }) as Json,
      }),
    );
    controller.kill('SIGTERM');
    await once(controller, 'exit');
  });
});

describe('near the quota', () => {
  it('caches are merged into a pack that takes their places, although the controller is killed on the way', async () => {
    const first = startController();
    const missed = APPS.slice(0, 8);
    for (const [i, app] of missed.slice(0, 7).entries()) await run(`pod-${i}`, app);
    const kept = await eventually(async () => {
      const all = await caches();
      expect(all.filter(({ phase }) => phase === 'Ready')).toHaveLength(7);
      return all.find(({ images }) => images.includes(APPS[0]!))!;
    }, 30_000);
    await plane.api.call(
      'PATCH',
      `${IMAGE_CACHES}/${kept.name}`,
      { metadata: { annotations: { 'imagecache-webhook.io/do-not-evict': 'true' } } },
      { 'content-type': 'application/merge-patch+json' },
    );
    await run('pod-7', APPS[7]!);
    const isPack = ({ images }: Cache): boolean => images.length > 2;
    const made = await eventually(async () => {
      const [pack, ...others] = (await caches()).filter(isPack);
      expect(others).toEqual([]);
      // The eighth cache, which uses up the quota so far that merging begins, is not Ready yet.
      expect(pack?.images).toEqual([...missed.slice(1, 7), SIDECAR]);
      return pack!;
    }, 30_000);
    // The Events are written a moment later.
    const merged = await eventually(async () => {
      const events = (await plane.api.list(EVENTS)).filter(({ reason }) => reason === 'ImageCacheMerged');
      expect(events).toHaveLength(6);
      return events;
    });
    expect(merged[0]).toMatchObject({
      involvedObject: { kind: 'ImageCache' },
      message: expect.stringContaining(`ImageCache ${made.name} is being made`) as string,
    });
    first.kill('SIGKILL');
    await once(first, 'exit');

    const second = startController();
    let said = '';
    second.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const until = Date.now() + 100_000;
    for (;;) {
      const all = await caches();
      expect(all.length).toBeLessThanOrEqual(12);
      if (all.length === 3) break;
      // At no time is a pod without a cache that holds all its images.
      for (const app of missed) expect([app, await givenTo(app)]).toEqual([app, expect.any(String)]);
      if (Date.now() > until) throw new Error(`not merged in time: ${JSON.stringify(all)}\n${said}`);
    }
    const left = new Map((await caches()).map(({ name, phase, isMarked }) => [name, [phase, isMarked]]));
    expect(left.size).toBe(3);
    for (const name of [kept.name, made.name]) expect(left.get(name)).toEqual(['Ready', false]);
    const { id } = (await caches()).find(isPack)!;
    for (const app of missed.slice(1, 7)) expect(await givenTo(app)).toBe(id);
    expect(await givenTo(APPS[0]!)).toBe((await caches()).find(({ name }) => name === kept.name)?.id);
  });

  it('imc status shows the image sets of a pack, each with its last use', async () => {
    const child = start(['status', '--source=kubernetes', `--kubeconfig=${plane.kubeconfig}`, '-o', 'json']);
    let out = '';
    child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await once(child, 'close');
    const all = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { sets: { images: string[]; lastUsedAt: string }[] });
    const pack = all.find(({ sets }) => sets.length === 6)!;
    expect(new Set(pack.sets.map(({ images }) => images[0]))).toEqual(new Set(APPS.slice(1, 7)));
    for (const { lastUsedAt } of pack.sets)
      expect(Date.parse(lastUsedAt)).toBeGreaterThan(Date.now() - 300_000);
  });
});

it('imc replay reads the pods of the cluster that would go to ECI, and replays them', async () => {
  for (const [i, app] of APPS.slice(0, 3).entries())
    await plane.api.create(PODS, podOf(`replayed-${i}`, app));
  const { spec } = podOf('other', APPS[0]!);
  await plane.api.create(PODS, {
    metadata: { name: 'other' },
    spec: { ...(spec as Json), nodeName: undefined },
  });
  const child = start(['replay', '--source=kubernetes', `--kubeconfig=${plane.kubeconfig}`, '-o', 'json']);
  let [out, err] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect([code, err]).toEqual([0, '']);
  const policies = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { policy: string; pods: number });
  expect(policies.map(({ pods }) => pods)).toEqual([3, 3, 3, 3, 3]);
});
