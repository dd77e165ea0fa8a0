/**
 * Bind-time decisions on a real API server. There is no scheduler here: the tests bind the pods, as a scheduler does,
 * and look at the result.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import {
  startCluster,
  installCrd,
  metadataOf,
  putImageCache,
  readManifest,
  register,
  runPod,
  setStatus,
  startInCluster,
  type Metadata,
  type PodRequest,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { kubernetesMinor } from './support/programs.ts';
import { startProxy, type FaultyProxy } from './support/proxy.ts';

const P = 'k8s.aliyun.com/';
const PIN = `${P}eci-imc-id`;
const DECISION = 'imagecache-webhook.io/decision';
const VIRTUAL = 'virtual-kubelet-cn-beijing-i';
const REAL = 'worker-1';
const PODS = '/api/v1/namespaces/default/pods';

let plane: ControlPlane;
let proxy: FaultyProxy;
let webhook: WebhookInCluster;

beforeAll(async () => {
  plane = await startCluster({ bindTime: true });
  await installCrd(plane.api, readManifest('test/e2e/fixtures/selectors-crd.yaml'));
  await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
  await plane.api.create('/api/v1/nodes', { metadata: { name: VIRTUAL } });
  await plane.api.create('/api/v1/nodes', { metadata: { name: REAL } });
  await plane.api.create('/api/v1/nodes', {
    metadata: { name: 'edge', labels: { 'k8s.aliyun.com/vnode': 'true' } },
  });
  proxy = await startProxy(plane);
  // maxStaleness is a day, so that no list brings the events that a test keeps from the watches.
  webhook = await startInCluster(
    plane,
    { bindTime: 'true', 'server.apiServers': '127.0.0.0/8,::1', maxStaleness: '24h' },
    proxy,
  );
  await webhook.synced;
  await register(plane.api, 'imagecache-webhook', webhook);
});
afterAll(async () => {
  await webhook?.stop();
  await proxy?.close();
  await plane?.stop();
});

/** Binds as the scheduler does. @returns the pod afterwards */
async function bind({ name, uid }: Metadata, node: string, annotations?: Json): Promise<Metadata> {
  await plane.api.create(`${PODS}/${name}/binding`, {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, namespace: 'default', uid, ...(annotations && { annotations }) },
    target: { kind: 'Node', name: node },
  });
  const pod = await plane.api.get(`${PODS}/${name}`);
  expect(pod['spec']).toMatchObject({ nodeName: node });
  return metadataOf(pod);
}

async function create(pod: PodRequest): Promise<Metadata> {
  return metadataOf(await runPod(plane.api, pod));
}

/** From now on, watches bring nothing. */
function silenceWatches(): void {
  proxy.garble = () => Buffer.alloc(0);
}

/** Ends the silence: new watches deliver what has happened meanwhile. */
function resumeWatches(): void {
  proxy.garble = undefined;
  proxy.endWatches();
}

/** How many requests for a single pod the webhook has sent. */
const gets = (): number => proxy.seen.filter(({ path }) => /\/pods\/[^/]+$/.test(path)).length;

async function inWatch(count: number): Promise<void> {
  await eventually(async () =>
    expect((await webhook.get('/readyz')).body).toMatchObject({
      kinds: expect.arrayContaining([expect.objectContaining({ kind: 'Pod', objects: count })]) as unknown,
    }),
  );
}

const unbound = async (): Promise<number> =>
  (await plane.api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D`)).length;

describe('a pod whose node is not known when it is created', () => {
  it('is left unchanged at creation, and gets its cache ID when it is bound to a virtual node', async () => {
    const pod = await create({ images: ['a:1'], annotations: { 'example.com/own': 'yes' } });
    expect(pod.annotations).toEqual({ 'example.com/own': 'yes' });
    const bound = await bind(pod, VIRTUAL);
    expect(bound.annotations).toMatchObject({ 'example.com/own': 'yes', [PIN]: 'imc-a' });
    expect(JSON.parse(String(bound.annotations[DECISION]))).toMatchObject({
      outcome: 'hit',
      wrote: { annotations: { [PIN]: 'imc-a' }, labels: {} },
    });
  });

  it.skipIf(kubernetesMinor() < 35)(
    'shows the outcome as a label, which the API server merges from the Binding (Kubernetes 1.35 or later)',
    async () => {
      const bound = await bind(await create({ images: ['a:1'] }), VIRTUAL);
      expect(bound.labels).toMatchObject({ 'imagecache-webhook.io/outcome': 'hit' });
    },
  );

  it('gets its cache ID also on a node that only its labels show to be virtual', async () => {
    expect((await bind(await create({ images: ['a:1'] }), 'edge')).annotations).toMatchObject({
      [PIN]: 'imc-a',
    });
  });

  it.each([
    ['asks for nothing', {}],
    ['asks for a match', { [`${P}eci-auto-imc`]: 'true' }],
    ['pins a cache', { [PIN]: 'imc-a' }],
  ])('that %s and is bound to a real node is left unchanged', async (_title, annotations) => {
    const pod = await create({ images: ['a:1'], annotations });
    expect(pod.annotations).toEqual(annotations);
    const before = gets();
    expect((await bind(pod, REAL)).annotations).toEqual(annotations);
    expect(gets()).toBe(before);
  });

  it('gets its cache ID also if the Binding is created as an object of the namespace', async () => {
    const { name } = await create({ images: ['a:1'] });
    await plane.api.create('/api/v1/namespaces/default/bindings', {
      metadata: { name },
      target: { kind: 'Node', name: VIRTUAL },
    });
    expect(metadataOf(await plane.api.get(`${PODS}/${name}`)).annotations).toMatchObject({ [PIN]: 'imc-a' });
  });

  it('keeps the annotations that the Binding already has', async () => {
    const bound = await bind(await create({ images: ['a:1'] }), VIRTUAL, { 'example.com/gpu': '0' });
    expect(bound.annotations).toMatchObject({ 'example.com/gpu': '0', [PIN]: 'imc-a' });
  });

  it('that pins a cache is not bound before the cache is Ready', async () => {
    await putImageCache(plane.api, { name: 'late', images: ['late:1'], phase: 'Creating', progress: '10%' });
    const pod = await create({ images: ['late:1'], annotations: { [PIN]: 'imc-late' } });
    await expect(bind(pod, VIRTUAL)).rejects.toThrow('Creating 10%');
    await setStatus(plane.api, 'late', { phase: 'Ready', progress: '100%' });
    await eventually(async () => {
      expect((await bind(pod, VIRTUAL)).annotations).toMatchObject({ [PIN]: 'imc-late' });
    });
  });

  it('that switches automatic matching off is bound unchanged', async () => {
    const off = { [`${P}eci-auto-imc`]: 'false' };
    expect((await bind(await create({ images: ['a:1'], annotations: off }), VIRTUAL)).annotations).toEqual(
      off,
    );
  });

  it('for which no cache qualifies gets the marker as an annotation, and not as a label', async () => {
    const bound = await bind(await create({ images: ['unheard-of:1'] }), VIRTUAL);
    expect(bound.annotations).toMatchObject({
      'imagecache-webhook.io/create-on-miss': expect.stringMatching(/^[0-9a-f]+$/) as string,
    });
    expect(bound.labels).not.toHaveProperty(['imagecache-webhook.io/create-on-miss']);
  });
});

describe('a pod that is known to go to ECI when it is created', () => {
  it('is decided then, and decided again when it is bound', async () => {
    await putImageCache(plane.api, { name: 'gone', images: ['gone:1', 'b:1'] });
    const labels = { 'alibabacloud.com/eci': 'true' };
    const request = { images: ['gone:1'], labels };
    const [pod, other] = await eventually(async () => {
      const pods = [await create(request), await create(request)] as const;
      for (const { annotations } of pods) expect(annotations).toMatchObject({ [PIN]: 'imc-gone' });
      return pods;
    });
    // The cache fails between creation and binding, so that ECI would fail the pod.
    await setStatus(plane.api, 'gone', { phase: 'Failed' });
    await eventually(async () => expect((await create(request)).annotations).not.toHaveProperty([PIN]));
    expect((await bind(pod, VIRTUAL)).annotations).toMatchObject({
      [PIN]: '',
      [DECISION]: expect.stringContaining('"outcome":"miss"') as string,
    });
    await putImageCache(plane.api, { name: 'better', images: ['gone:1'] });
    await eventually(async () =>
      expect((await create(request)).annotations).toMatchObject({ [PIN]: 'imc-better' }),
    );
    expect((await bind(other, VIRTUAL)).annotations).toMatchObject({ [PIN]: 'imc-better' });
  });
});

describe('a Selector whose pods may run on either kind of node', () => {
  it('has its effect only if the pod is bound to a virtual node', async () => {
    await plane.api.create('/apis/eci.aliyun.com/v1/namespaces/default/selectors', {
      apiVersion: 'eci.aliyun.com/v1',
      kind: 'Selector',
      metadata: { name: 'either' },
      spec: {
        objectLabels: { matchLabels: { app: 'either' } },
        policy: { fair: {} },
        effect: { annotations: { 'example.com/effect': 'yes' }, labels: { lost: 'here' } },
      },
    });
    const request = { images: ['a:1'], labels: { app: 'either' } };
    // Until the Selector has reached the webhook, the pod is bound like any other.
    await eventually(async () => {
      const bound = await bind(await create(request), VIRTUAL);
      expect(bound.annotations).toMatchObject({ 'example.com/effect': 'yes', [PIN]: 'imc-a' });
      expect(bound.labels).not.toHaveProperty('lost');
    });
    const pod = await create(request);
    expect(pod.annotations).toEqual({});
    expect((await bind(pod, REAL)).annotations).toEqual({});
  });
});

describe('the pod of a Binding', () => {
  it('comes from the watch, without a request, and the watch keeps no bound pod', async () => {
    const pod = await create({ images: ['a:1'] });
    await inWatch(await unbound());
    const before = gets();
    expect((await bind(pod, VIRTUAL)).annotations).toMatchObject({ [PIN]: 'imc-a' });
    expect(gets()).toBe(before);
    await inWatch(await unbound());
  });

  it('comes from one GET if the watch has not delivered the pod', async () => {
    silenceWatches();
    try {
      const pods = await Promise.all(Array.from({ length: 30 }, () => create({ images: ['a:1'] })));
      const before = gets();
      const bound = await Promise.all(pods.map((pod) => bind(pod, VIRTUAL)));
      for (const { annotations } of bound) expect(annotations).toMatchObject({ [PIN]: 'imc-a' });
      expect(gets()).toBe(before + pods.length);
    } finally {
      resumeWatches();
    }
  });

  it('is not confused with an earlier pod of the same name', async () => {
    const first = await create({ images: ['unheard-of:1'] });
    await inWatch(await unbound());
    silenceWatches();
    try {
      await plane.api.remove(`${PODS}/${first.name}`);
      const second = metadataOf(
        await plane.api.create(PODS, {
          metadata: { name: first.name },
          spec: { containers: [{ name: 'c', image: 'a:1' }] },
        }),
      );
      expect((await bind(second, VIRTUAL)).annotations).toMatchObject({ [PIN]: 'imc-a' });
    } finally {
      resumeWatches();
    }
  });

  it('is bound unchanged, with a warning, if the API server does not answer', async () => {
    const pod = await create({ images: ['a:1'] });
    silenceWatches();
    proxy.fault = ({ path }) => (path.includes('/pods/') ? 'handled' : undefined);
    try {
      const unseen = await create({ images: ['a:1'] });
      const { headers, status } = await plane.api.send('POST', `${PODS}/${unseen.name}/binding`, {
        metadata: { name: unseen.name },
        target: { kind: 'Node', name: VIRTUAL },
      });
      expect(status).toBe(201);
      expect(headers['warning']).toContain('no image cache chosen');
      expect(metadataOf(await plane.api.get(`${PODS}/${unseen.name}`)).annotations).toEqual({});
      expect(await webhook.metrics()).toContain('imagecache_webhook_bound_pods_total{found="none"} 1');
      expect(await webhook.metrics()).toContain(
        'imagecache_webhook_decisions_total{operation="bind",outcome="skipped",reason="PodNotFound"} 1',
      );
    } finally {
      resumeWatches();
      proxy.fault = undefined;
    }
    expect(pod.annotations).toEqual({});
  });

  it('is not bound by a dry run, which is not counted', async () => {
    const counted = async (): Promise<string[]> =>
      (await webhook.metrics())
        .split('\n')
        .filter((line) => /^imagecache_webhook_(decisions|bound_pods)_total/.test(line));
    const pod = await create({ images: ['a:1'] });
    const before = await counted();
    await plane.api.create(`${PODS}/${pod.name}/binding?dryRun=All`, {
      metadata: { name: pod.name, uid: pod.uid },
      target: { kind: 'Node', name: VIRTUAL },
    });
    expect((await plane.api.get(`${PODS}/${pod.name}`))['spec']).not.toHaveProperty('nodeName');
    // A Binding whose pod does not exist, and a Binding that cannot be read.
    for (const metadata of [{ name: 'unheard-of' }, {}]) {
      const review = admissionReview(
        { metadata, target: { name: VIRTUAL } },
        { subResource: 'binding', dryRun: true },
      );
      expect(await webhook.review(review)).toMatchObject({ warnings: [expect.any(String)] });
    }
    expect(await counted()).toEqual(before);
  });
});

describe('a review of a binding', () => {
  const review = (object: unknown, replica = webhook): ReturnType<WebhookInCluster['review']> =>
    replica.review(admissionReview(object, { subResource: 'binding' }));

  it.each<[unknown]>([
    [null],
    [[]],
    [{}],
    [{ metadata: {}, target: { name: VIRTUAL } }],
    [{ metadata: { name: 'x' } }],
    [{ metadata: { name: 'x', annotations: { a: 1 } }, target: { name: VIRTUAL } }],
    [{ metadata: { name: '../../secrets/x' }, target: { name: VIRTUAL } }],
  ])('that cannot be used is allowed as it is, with a warning: %j', async (object) => {
    expect(await review(object)).toMatchObject({ allowed: true, warnings: [expect.any(String)] });
    expect(await review(object)).not.toHaveProperty('patch');
    // Whatever the name is, the webhook requests no other resource than pods.
    expect(proxy.seen.filter(({ path }) => /\/secrets\//.test(path))).toEqual([]);
  });

  it('is allowed without a patch if bindTime is off', async () => {
    await using plain = await startInCluster(plane);
    await plain.synced;
    const { name } = await create({ images: ['a:1'] });
    const binding = { metadata: { name, namespace: 'default' }, target: { kind: 'Node', name: VIRTUAL } };
    expect(await review(binding, plain)).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      uid: expect.any(String) as string,
      allowed: true,
    });
    expect(await review(binding)).toHaveProperty('patch');
  });
});
