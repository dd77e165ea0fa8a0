/**
 * Pods in a hybrid cluster, from their creation by the controllers of Kubernetes to their end: real schedulers bind
 * them to real and virtual nodes, and kwok lets them run and finish. The webhook decides exactly the pods that run on a
 * virtual node, each by the state of the cluster at that time.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import {
  makeDue,
  metadataOf,
  ONCE_A_YEAR,
  putImageCache,
  register,
  setStatus,
  startCluster,
  startInCluster,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { addNode, TOLERATION } from './support/nodes.ts';

const PIN = 'k8s.aliyun.com/eci-imc-id';
const VIRTUAL = 'virtual-kubelet-cn-beijing-i';
/** Real nodes, and how many pods each has room for. */
const WORKERS = ['worker-1', 'worker-2'];
const ROOM = 3;
const PODS = '/api/v1/namespaces/default/pods';
const APPS = '/apis/apps/v1/namespaces/default';
const BATCH = '/apis/batch/v1/namespaces/default';

let plane: ControlPlane;
let webhook: WebhookInCluster;

beforeAll(async () => {
  plane = await startCluster({
    bindTime: true,
    schedulers: ['default-scheduler', 'second-scheduler'],
    kwok: true,
  });
  for (const name of WORKERS) await addNode(plane.api, { name, pods: ROOM });
  await addNode(plane.api, { name: VIRTUAL, virtual: true });
  for (const image of ['a:1', 'a:2'])
    await putImageCache(plane.api, { name: image.replace(':', '-'), images: [image] });
  webhook = await startInCluster(plane, { bindTime: 'true', 'server.apiServers': '127.0.0.0/8,::1' });
  await webhook.synced;
  await register(plane.api, 'imagecache-webhook', webhook);
});
afterAll(async () => {
  await webhook?.stop();
  await plane?.stop();
});
afterEach(async () => {
  for (const name of WORKERS) await plane.api.merge(`/api/v1/nodes/${name}`, { spec: { taints: null } });
  await plane.api.remove('/apis/eci.alibabacloud.com/v1/imagecaches/another');
  await setStatus(plane.api, 'a-1', { phase: 'Ready' });
  for (const path of ['deployments', 'statefulsets', 'daemonsets'].map((kind) => `${APPS}/${kind}`))
    await plane.api.call('DELETE', `${path}?propagationPolicy=Background`);
  for (const path of ['cronjobs', 'jobs'].map((kind) => `${BATCH}/${kind}`))
    await plane.api.call('DELETE', `${path}?propagationPolicy=Background`);
  await eventually(async () => {
    await plane.api.call('DELETE', `${PODS}?gracePeriodSeconds=0`);
    expect(await plane.api.list(PODS)).toEqual([]);
    expect(await plane.api.list(`${APPS}/replicasets`)).toEqual([]);
  }, 30_000);
});

/** Real nodes first, as far as there is room. */
const REAL_FIRST = {
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        preference: { matchExpressions: [{ key: 'type', operator: 'In', values: ['worker'] }] },
      },
    ],
  },
};
const ON_VIRTUAL = { nodeSelector: { type: 'virtual-kubelet' } };

function template(spec: Json = {}, annotations: Json = {}, image = 'a:1'): Json {
  return {
    metadata: { labels: { app: 'a' }, annotations },
    spec: {
      terminationGracePeriodSeconds: 0,
      tolerations: [TOLERATION],
      containers: [{ name: 'c', image }],
      ...spec,
    },
  };
}
const selector = { matchLabels: { app: 'a' } };

interface Seen {
  readonly name: string;
  readonly node: string | undefined;
  readonly phase: string;
  readonly image: string;
  /** The cache that it was given. */
  readonly cache: string | undefined;
}

async function pods(): Promise<Seen[]> {
  const all = await plane.api.list(PODS);
  return all
    .filter((pod) => metadataOf(pod).deletionTimestamp === undefined)
    .map((pod) => {
      const { nodeName, containers } = pod['spec'] as { nodeName?: string; containers: { image: string }[] };
      return {
        name: metadataOf(pod).name,
        node: nodeName,
        phase: (pod['status'] as { phase: string }).phase,
        image: containers[0]!.image,
        cache: metadataOf(pod).annotations[PIN] as string | undefined,
      };
    });
}

/**
 * Waits until there are this many pods, all in this phase. Checks that each pod on the virtual node has the cache of
 * its image, and that no other pod has a cache.
 */
async function untilPods(count: number, phase = 'Running'): Promise<Seen[]> {
  const seen = await eventually(async () => {
    const all = await pods();
    expect(all.map((pod) => pod.phase)).toEqual(Array.from({ length: count }, () => phase));
    return all;
  }, 30_000);
  for (const { node, image, cache, name } of seen)
    expect(cache, `${name} on ${node}`).toBe(node === VIRTUAL ? `imc-${image.replace(':', '-')}` : undefined);
  return seen;
}

const onVirtual = (seen: readonly Seen[]): Seen[] => seen.filter(({ node }) => node === VIRTUAL);

describe('a Deployment that prefers real nodes', () => {
  const create = (replicas: number, more: Json = {}): Promise<Json> =>
    plane.api.create(`${APPS}/deployments`, {
      metadata: { name: 'a' },
      spec: { replicas, selector, template: template({ affinity: REAL_FIRST }), ...more },
    });

  it('fills the real nodes, and the other pods run on the virtual node, from a cache', async () => {
    await create(2);
    expect(onVirtual(await untilPods(2))).toEqual([]);
    const room = WORKERS.length * ROOM;
    await plane.api.merge(`${APPS}/deployments/a`, { spec: { replicas: room + 4 } });
    expect(onVirtual(await untilPods(room + 4))).toHaveLength(4);
  });

  it('rolls out a new image with surge, and each new pod on the virtual node has the cache of that image', async () => {
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 0 } };
    await create(8, { strategy });
    await untilPods(8);
    await plane.api.merge(`${APPS}/deployments/a`, {
      spec: { template: { spec: { containers: [{ name: 'c', image: 'a:2' }] } } },
    });
    await eventually(async () => {
      const { status } = await plane.api.get(`${APPS}/deployments/a`);
      expect(status).toMatchObject({
        observedGeneration: 2,
        updatedReplicas: 8,
        replicas: 8,
        readyReplicas: 8,
      });
    }, 30_000);
    const seen = await untilPods(8);
    expect(new Set(seen.map(({ image }) => image))).toEqual(new Set(['a:2']));
    expect(onVirtual(seen).length).toBeGreaterThan(0);
  });

  it('has a pod that is evicted from the virtual node replaced by a pod that is decided anew', async () => {
    await create(1, { template: template(ON_VIRTUAL) });
    const [first] = await untilPods(1);
    await setStatus(plane.api, 'a-1', { phase: 'Failed' });
    await putImageCache(plane.api, { name: 'another', images: ['a:1'] });
    await eventually(async () => {
      const review = await plane.api.create(`${PODS}?dryRun=All`, {
        metadata: { name: 'asks', labels: { 'alibabacloud.com/eci': 'true' } },
        spec: { containers: [{ name: 'c', image: 'a:1' }] },
      });
      expect(metadataOf(review).annotations[PIN]).toBe('imc-another');
    });
    await plane.api.create(`${PODS}/${first!.name}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: first!.name },
    });
    await eventually(async () => {
      const [second, ...more] = await pods();
      expect(more).toEqual([]);
      expect(second).toMatchObject({ node: VIRTUAL, phase: 'Running', cache: 'imc-another' });
      expect(second!.name).not.toBe(first!.name);
    }, 30_000);
  });

  it('moves to the virtual node if the real nodes are tainted', async () => {
    await create(1, { template: template({ affinity: REAL_FIRST }) });
    const [first] = await untilPods(1);
    expect(first!.node).toMatch(/^worker-/);
    for (const name of WORKERS)
      await plane.api.merge(`/api/v1/nodes/${name}`, {
        spec: { taints: [{ key: 'maintenance', effect: 'NoExecute' }] },
      });
    await eventually(async () => expect((await pods()).map(({ node }) => node)).toEqual([VIRTUAL]), 30_000);
    await untilPods(1);
  });
});

describe('other workloads on the virtual node', () => {
  it('a StatefulSet: a new pod with the name of a former pod is decided anew', async () => {
    await plane.api.create(`${APPS}/statefulsets`, {
      metadata: { name: 'a' },
      spec: { replicas: 2, serviceName: 'a', selector, template: template(ON_VIRTUAL) },
    });
    await untilPods(2);
    const { uid } = metadataOf(await plane.api.get(`${PODS}/a-0`));
    await plane.api.remove(`${PODS}/a-0`);
    await eventually(async () => expect(metadataOf(await plane.api.get(`${PODS}/a-0`)).uid).not.toBe(uid));
    expect((await untilPods(2)).map(({ name }) => name).toSorted()).toEqual(['a-0', 'a-1']);
  });

  it('a DaemonSet: only its pod on the virtual node is decided', async () => {
    await plane.api.create(`${APPS}/daemonsets`, {
      metadata: { name: 'a' },
      spec: { selector, template: template() },
    });
    expect(onVirtual(await untilPods(WORKERS.length + 1))).toHaveLength(1);
  });

  it('a Job: all its pods are decided, also those that start after others have finished', async () => {
    await plane.api.create(`${BATCH}/jobs`, {
      metadata: { name: 'a' },
      spec: {
        parallelism: 2,
        completions: 4,
        template: template({ ...ON_VIRTUAL, restartPolicy: 'Never' }, { 'kwok.test/runs-for': '200ms' }),
      },
    });
    await eventually(async () => {
      const { status } = await plane.api.get(`${BATCH}/jobs/a`);
      expect(status).toMatchObject({ succeeded: 4 });
    }, 30_000);
    await untilPods(4, 'Succeeded');
  });

  it('a CronJob: its pod is decided, and finishes', async () => {
    await plane.api.create(`${BATCH}/cronjobs`, {
      metadata: { name: 'a' },
      spec: {
        schedule: ONCE_A_YEAR,
        jobTemplate: {
          spec: {
            template: template({ ...ON_VIRTUAL, restartPolicy: 'Never' }, { 'kwok.test/runs-for': '200ms' }),
          },
        },
      },
    });
    await makeDue(plane.api, `${BATCH}/cronjobs/a`);
    await untilPods(1, 'Succeeded');
  });
});

describe('the schedulers', () => {
  const bare = (name: string, spec: Json, annotations: Json = {}): Promise<Json> =>
    plane.api.create(PODS, {
      metadata: { name, annotations },
      spec: (template(spec) as { spec: Json }).spec,
    });

  it('may be two, and the pods of both are decided', async () => {
    await bare('first', ON_VIRTUAL);
    await bare('second', { ...ON_VIRTUAL, schedulerName: 'second-scheduler' });
    await untilPods(2);
    await eventually(async () => {
      const events = await plane.api.list(
        '/api/v1/namespaces/default/events?fieldSelector=reason%3DScheduled',
      );
      expect(new Set(events.map(({ reportingComponent }) => reportingComponent))).toEqual(
        new Set(['default-scheduler', 'second-scheduler']),
      );
    });
  });

  it('retry a refused binding until the pinned cache is Ready, and say meanwhile why it was refused', async () => {
    await putImageCache(plane.api, { name: 'late', images: ['late:1'], phase: 'Creating', progress: '10%' });
    // A pod with a pin and no sign of ECI is decided when it is bound.
    await bare('pinned', { affinity: ONLY_VIRTUAL }, { [PIN]: 'imc-late' });
    await eventually(async () => {
      const events = await plane.api.list(
        '/api/v1/namespaces/default/events?fieldSelector=reason%3DFailedScheduling',
      );
      expect(events.map(({ message }) => String(message))).toContainEqual(
        expect.stringContaining('Creating 10%'),
      );
    }, 20_000);
    expect(await pods()).toMatchObject([{ name: 'pinned', node: undefined, phase: 'Pending' }]);
    await setStatus(plane.api, 'late', { phase: 'Ready', progress: '100%' });
    await eventually(async () =>
      expect(await pods()).toMatchObject([
        { name: 'pinned', node: VIRTUAL, phase: 'Running', cache: 'imc-late' },
      ]),
    );
  });

  it('leave a pod with a scheduling gate alone, and bind it once the gate is removed; then it is decided', async () => {
    const pod = await bare('gated', {
      affinity: ONLY_VIRTUAL,
      schedulingGates: [{ name: 'example.com/wait' }],
    });
    expect(metadataOf(pod).annotations).toEqual({});
    await eventually(async () => {
      const { status } = await plane.api.get(`${PODS}/gated`);
      const conditions = ((status as Json)['conditions'] ?? []) as { reason?: string }[];
      expect(conditions.map(({ reason }) => reason)).toContain('SchedulingGated');
    });
    expect((await pods())[0]).toMatchObject({ node: undefined, cache: undefined });
    await plane.api.merge(`${PODS}/gated`, { spec: { schedulingGates: null } });
    await untilPods(1);
  });
});

/** A node affinity that only virtual nodes satisfy, without naming them: it is no sign of ECI. */
const ONLY_VIRTUAL = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'type', operator: 'NotIn', values: ['worker'] }] }],
    },
  },
};
