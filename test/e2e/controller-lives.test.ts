/**
 * The controller with pods that go through their whole life: a scheduler binds them, kwok stands in for the virtual
 * node on which they pull and run, and `imc simulate-eci` makes the caches.
 */
import { SYSTEM_CLOCK } from '../../src/clock.ts';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { startController, type Controller } from '../../src/runtime/controller.ts';
import { eventually } from '../support/eventually.ts';
import { killRunning, start } from '../support/imc.ts';
import type { Json } from '../support/objects.ts';
import {
  IMAGE_CACHES,
  makeDue,
  metadataOf,
  ONCE_A_YEAR,
  register,
  startCluster,
  startInCluster,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { addNode, TOLERATION } from './support/nodes.ts';

const PIN = 'k8s.aliyun.com/eci-imc-id';
const MARKER = 'imagecache-webhook.io/create-on-miss';
const VIRTUAL = 'virtual-kubelet';
const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const CRON_JOBS = '/apis/batch/v1/namespaces/default/cronjobs';
const JOBS = '/apis/batch/v1/namespaces/default/jobs';
const DAY = 86_400_000;

let plane: ControlPlane;
let webhook: WebhookInCluster;
let controller: Controller;
/** Milliseconds by which the controller's clock is ahead. */
let aheadBy = 0;

beforeAll(async () => {
  plane = await startCluster({
    bindTime: true,
    waits: true,
    schedulers: ['default-scheduler'],
    kwok: true,
  });
  await addNode(plane.api, { name: VIRTUAL, virtual: true });
  webhook = await startInCluster(plane, {
    bindTime: 'true',
    waitForCache: 'allow',
    'server.apiServers': '127.0.0.0/8,::1',
    'createOnMiss.by': 'controller',
  });
  await webhook.synced;
  await register(plane.api, 'imagecache-webhook', webhook);
  const settings = {
    source: 'kubernetes',
    kubeconfig: plane.kubeconfig,
    host: '127.0.0.1',
    metricsPort: '0',
    'createOnMiss.by': 'controller',
    prewarm: 'true',
    waitForCache: 'allow',
    // A short time, so that the API server confirms its data soon after its clock was moved.
    maxStaleness: '6s',
    'controller.webhookTimeout': '2s',
  };
  const config = loadConfig(undefined, new Map(Object.entries(settings)), {});
  controller = await startController(config, pino({ level: 'silent' }), {
    ...SYSTEM_CLOCK,
    now: () => Date.now() + aheadBy,
  });
  await controller.synced;
  start(['simulate-eci', '--source=kubernetes', `--kubeconfig=${plane.kubeconfig}`, '--creation-time=1s']);
});
afterAll(async () => {
  killRunning();
  await controller?.stop();
  await webhook?.stop();
  await plane?.stop();
});
afterEach(async () => {
  for (const path of [DEPLOYMENTS, CRON_JOBS, JOBS])
    await plane.api.call('DELETE', `${path}?propagationPolicy=Background`);
  await eventually(async () => {
    await plane.api.call('DELETE', `${PODS}?gracePeriodSeconds=0`);
    await plane.api.call('DELETE', IMAGE_CACHES);
    expect(await plane.api.list(PODS)).toEqual([]);
    expect(await plane.api.list(IMAGE_CACHES)).toEqual([]);
  }, 30_000);
});

const PULLS = { 'kwok.test/pulls-for': '3s' };
const podSpec = (image: string): Json => ({
  terminationGracePeriodSeconds: 0,
  tolerations: [TOLERATION],
  nodeSelector: { type: 'virtual-kubelet' },
  containers: [{ name: 'c', image }],
});
const create = (name: string, image: string, annotations: Json = PULLS): Promise<Json> =>
  plane.api.create(PODS, { metadata: { name, annotations }, spec: podSpec(image) });
const template = (image: string, annotations: Json = {}): Json => ({
  metadata: { labels: { app: 'a' }, annotations },
  spec: podSpec(image),
});

async function phaseOf(name: string): Promise<string> {
  const { status } = await plane.api.get(`${PODS}/${name}`);
  return (status as { phase: string }).phase;
}

/** Waits until the only cache with an image is Ready. @returns that cache */
async function untilReady(image: string): Promise<{ name: string; id: string }> {
  return eventually(async () => {
    const caches = (await plane.api.list(IMAGE_CACHES)).filter((each) =>
      (each['spec'] as { images: string[] }).images.includes(image),
    );
    expect(caches).toHaveLength(1);
    const { phase, imageCacheId } = caches[0]!['status'] as { phase: string; imageCacheId: string };
    expect(phase).toBe('Ready');
    return { name: metadataOf(caches[0]!).name, id: imageCacheId };
  }, 20_000);
}

/** Waits until the webhook would give a pod this cache. */
async function untilGiven(image: string, id: string): Promise<void> {
  await eventually(async () => {
    const pod = await plane.api.create(`${PODS}?dryRun=All`, {
      metadata: { name: 'asks' },
      spec: podSpec(image),
    });
    expect(metadataOf(pod).annotations[PIN]).toBe(id);
  });
}

const present = async (name: string): Promise<boolean> =>
  (await plane.api.list(IMAGE_CACHES)).some((each) => metadataOf(each).name === name);

describe('a cache that was missed', () => {
  it('is made for a pod that only its binding shows to go to ECI, and that has no label for ECI', async () => {
    const { nodeSelector: _, ...spec } = podSpec('bound:1');
    const expression = { key: 'type', operator: 'NotIn', values: ['worker'] };
    const affinity = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [expression] }],
        },
      },
    };
    await plane.api.create(PODS, {
      metadata: { name: 'bound', annotations: PULLS },
      spec: { ...spec, affinity },
    });
    await eventually(async () => {
      const { annotations, labels } = metadataOf(await plane.api.get(`${PODS}/bound`));
      expect(annotations).toHaveProperty([MARKER]);
      expect(labels).not.toHaveProperty([MARKER]);
    });
    await untilReady('bound:1');
  });

  it('is given to the second run of a CronJob, although the pod of the first run has finished', async () => {
    const job = { spec: { template: template('cron:1', { ...PULLS, 'kwok.test/runs-for': '100ms' }) } };
    Object.assign(job.spec.template['spec'] as Json, { restartPolicy: 'Never' });
    await plane.api.create(CRON_JOBS, {
      metadata: { name: 'cron' },
      spec: { schedule: ONCE_A_YEAR, jobTemplate: job },
    });
    const runs = async (): Promise<{ cache: unknown; phase: string }[]> =>
      (await plane.api.list(PODS))
        .toSorted((a, b) => (metadataOf(a).name < metadataOf(b).name ? -1 : 1))
        .map((pod) => ({
          cache: metadataOf(pod).annotations[PIN],
          phase: (pod['status'] as { phase: string }).phase,
        }));
    await makeDue(plane.api, `${CRON_JOBS}/cron`);
    await eventually(
      async () => expect(await runs()).toEqual([{ cache: undefined, phase: 'Succeeded' }]),
      20_000,
    );
    const { id } = await untilReady('cron:1');
    await untilGiven('cron:1', id);
    await plane.api.call('DELETE', JOBS + '?propagationPolicy=Background');
    await eventually(async () => expect(await runs()).toEqual([]));
    await makeDue(plane.api, `${CRON_JOBS}/cron`);
    await eventually(async () => expect(await runs()).toEqual([{ cache: id, phase: 'Succeeded' }]), 20_000);
  });

  it('is made before the first pod of a rollout that is paused, and all pods of the rollout are given it', async () => {
    await plane.api.create(DEPLOYMENTS, {
      metadata: { name: 'a' },
      spec: { replicas: 3, selector: { matchLabels: { app: 'a' } }, template: template('before:1') },
    });
    const running = async (image: string): Promise<Json[]> => {
      const pods = await plane.api.list(PODS);
      const states = pods.map((pod) => [
        (pod['spec'] as { containers: { image: string }[] }).containers[0]!.image,
        (pod['status'] as { phase: string }).phase,
      ]);
      expect(states).toEqual(Array.from({ length: 3 }, () => [image, 'Running']));
      return pods;
    };
    await eventually(() => running('before:1'), 20_000);
    await plane.api.merge(`${DEPLOYMENTS}/a`, {
      spec: { paused: true, template: { spec: { containers: [{ name: 'c', image: 'after:1' }] } } },
    });
    const { id } = await untilReady('after:1');
    await running('before:1');
    await untilGiven('after:1', id);
    await plane.api.merge(`${DEPLOYMENTS}/a`, { spec: { paused: false } });
    const pods = await eventually(() => running('after:1'), 20_000);
    expect(pods.map((pod) => metadataOf(pod).annotations[PIN])).toEqual([id, id, id]);
  });
});

describe('a burst of pods that wait for their cache', () => {
  it('is placed by the scheduler once the cache is Ready, and each pod starts from it', async () => {
    const annotations = { 'imagecache-webhook.io/wait-for-cache': '2m', ...PULLS };
    await eventually(async () => {
      const pod = await plane.api.create(`${PODS}?dryRun=All`, {
        metadata: { name: 'asks', annotations },
        spec: podSpec('asks:1'),
      });
      expect(pod['spec']).toHaveProperty('schedulingGates');
    });
    await plane.api.create(DEPLOYMENTS, {
      metadata: { name: 'burst' },
      spec: {
        replicas: 10,
        selector: { matchLabels: { app: 'a' } },
        template: template('burst:1', annotations),
      },
    });
    const { id } = await untilReady('burst:1');
    await eventually(async () => {
      const pods = await plane.api.list(PODS);
      const seen = pods.map((pod) => [
        metadataOf(pod).annotations[PIN],
        (pod['spec'] as { nodeName?: string }).nodeName,
        (pod['status'] as { phase: string }).phase,
      ]);
      expect(seen).toEqual(Array.from({ length: 10 }, () => [id, VIRTUAL, 'Running']));
    }, 60_000);
    const events = await plane.api.list('/api/v1/namespaces/default/events');
    const ended = events
      .filter(({ reason }) => reason === 'WaitedForImageCache')
      .map(({ message }) => message);
    expect(ended.length).toBeGreaterThan(0);
    for (const message of ended) expect(message).toContain('it can start from one now');
  });
});

describe('a cache that nobody has used for longer than idleDays', () => {
  it('is deleted, but not before a pod that is about to start from it has started', async () => {
    await create('misses', 'used:1');
    await create('misses-too', 'unused:1');
    const [used, unused] = [await untilReady('used:1'), await untilReady('unused:1')];
    await untilGiven('used:1', used.id);
    const hit = await create('hits', 'used:1', { 'kwok.test/pulls-for': '1h' });
    expect(metadataOf(hit).annotations[PIN]).toBe(used.id);
    await plane.api.remove(`${PODS}/misses`);
    await plane.api.remove(`${PODS}/misses-too`);
    // Moves only the controller's clock, by a month.
    aheadBy = 31 * DAY;
    // The controller looks again at each change, and else once a minute.
    await create('wakes', 'wakes:1');
    try {
      await eventually(async () => expect(await present(unused.name)).toBe(false), 60_000);
      // The controller has seen both caches, and a pod that still pulls.
      expect([await phaseOf('hits'), await present(used.name)]).toEqual(['Pending', true]);
      await eventually(async () => {
        // Each time another change, because kwok may be about to wait for the hour when the first one comes.
        const annotations = { 'kwok.test/pulls-for': '0s', 'kwok.test/changed': `${Date.now()}` };
        await plane.api.merge(`${PODS}/hits`, { metadata: { annotations } });
        expect(await phaseOf('hits')).toBe('Running');
      }, 30_000);
      await eventually(async () => expect(await present(used.name)).toBe(false), 60_000);
      expect(await phaseOf('hits')).toBe('Running');
    } finally {
      aheadBy = 0;
    }
  });
});
