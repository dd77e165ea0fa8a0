/**
 * The controller as the chart installs it, beside the webhook, with a real API server. The tests stand in for ECI: they
 * give the caches their IDs and phases.
 */
import { SYSTEM_CLOCK } from '../../src/clock.ts';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { ApiClient } from '../../src/sources/kubernetes/api-client.ts';
import { ControllerSource } from '../../src/sources/kubernetes/controller-source.ts';
import { eventually } from '../support/eventually.ts';
import { killRunning, start } from '../support/imc.ts';
import { ownCache } from '../support/own-cache.ts';
import type { Json } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';
import { find, NAMESPACE, Release, RELEASE } from './support/chart.ts';
import {
  createNamespace,
  IMAGE_CACHE_CRD,
  IMAGE_CACHES,
  installCrd,
  metadataOf,
  putImageCache,
  readManifest,
  readManifests,
  setStatus,
  type Rule,
} from './support/cluster.ts';
import { kubeconfig, startControlPlane, type ControlPlane } from './support/control-plane.ts';
import { canHaveAddresses, Kubelet, type RunningPod } from './support/kubelet.ts';
import { audited, granted, refusedOf, unusedBy, usedBy } from './support/rights.ts';

const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
/** The kinds that the controller pre-warms. */
const WORKLOADS = [
  'apps/v1/deployments',
  'apps/v1/statefulsets',
  'batch/v1/jobs',
  'batch/v1/cronjobs',
  'serving.knative.dev/v1/services',
  'argoproj.io/v1alpha1/workflowtemplates',
  'argoproj.io/v1alpha1/cronworkflows',
  'argoproj.io/v1alpha1/rollouts',
  'apps.kruise.io/v1alpha1/clonesets',
];
const ACCOUNT = `system:serviceaccount:${NAMESPACE}:${RELEASE}-controller`;
const MARKER = 'imagecache-webhook.io/create-on-miss';

/** Gives a pod enough storage for a cache of 50 GiB. */
const ROOM = { annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': '20Gi' } };

/** `apps/v1/deployments` → `/apis/apps/v1/namespaces/NAMESPACE/deployments` */
function inNamespace(namespace: string, resource: string): string {
  return `/apis/${resource}`.replace(/\/([^/]*)$/, `/namespaces/${namespace}/$1`);
}

describe.skipIf(!canHaveAddresses())('the controller', () => {
  let plane: ControlPlane;
  let kubelet: Kubelet;
  let objects: Json[];
  beforeAll(async () => {
    plane = await startControlPlane();
    await installCrd(plane.api, IMAGE_CACHE_CRD);
    await installCrd(plane.api, readManifest('test/e2e/fixtures/selectors-crd.yaml'));
    for (const crd of readManifests('test/e2e/fixtures/workload-crds.yaml')) await installCrd(plane.api, crd);
    await plane.api.create('/api/v1/nodes', { metadata: { name: 'virtual-kubelet' } });
    await createNamespace(plane.api, 'ahead', { 'imagecache-webhook.io/prewarm': 'enabled' });
    await plane.api.untilPodsCanBeCreated('ahead');
    objects = await new Release(plane).upgrade({
      controller: { enabled: true },
      config: {
        shutdownDelay: '0s',
        prewarm: true,
        prewarmNamespaces: 'labelled',
        maxStaleness: '9s',
        controller: {
          quota: 310,
          leaseDuration: '3s',
          webhookTimeout: '2s',
          creationsPerHour: 10_000,
          tenantCreationsPerHour: 10_000,
        },
      },
    });
    kubelet = new Kubelet(plane, NAMESPACE);
    await kubelet.start();
    await kubelet.untilReady(2);
    await kubelet.untilReady(2, 'controller');
    await eventually(async () => {
      const [webhook] = (
        await plane.api.get(`/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${RELEASE}`)
      )['webhooks'] as { clientConfig: { caBundle?: string } }[];
      expect(webhook!.clientConfig.caBundle).toBeTruthy();
    });
    // Waits until the API server knows the webhook.
    await eventually(async () => {
      const pod = await plane.api.create(`${PODS}?dryRun=All`, podOf('first', ['first:1']));
      expect(metadataOf(pod).labels).toHaveProperty([MARKER]);
    });
  });
  afterAll(async () => {
    killRunning();
    await kubelet?.[Symbol.asyncDispose]();
    await plane?.stop();
  });
  afterEach(async () => {
    for (const namespace of ['default', 'ahead']) {
      for (const resource of WORKLOADS) await plane.api.call('DELETE', inNamespace(namespace, resource));
      // A ReplicaSet makes pods until it is deleted.
      await eventually(
        async () => expect(await plane.api.list(inNamespace(namespace, 'apps/v1/replicasets'))).toEqual([]),
        30_000,
      );
      await plane.api.call('DELETE', `/api/v1/namespaces/${namespace}/pods?gracePeriodSeconds=0`);
    }
    await plane.api.call('DELETE', IMAGE_CACHES);
    await eventually(async () => expect(await caches()).toEqual([]));
  });

  const caches = (): Promise<Json[]> => plane.api.list(IMAGE_CACHES);

  function podOf(
    name: string,
    images: readonly string[],
    change: { spec?: Json; annotations?: Json } = {},
  ): Json {
    return {
      metadata: { name, labels: { 'alibabacloud.com/eci': 'true' }, annotations: change.annotations ?? {} },
      spec: {
        nodeName: 'virtual-kubelet',
        containers: images.map((image, i) => ({ name: `c${i}`, image })),
        ...change.spec,
      },
    };
  }

  const create = (name: string, images: readonly string[], change = {}): Promise<Json> =>
    plane.api.create(PODS, podOf(name, images, change));

  async function untilCaches(count: number, within = 20_000): Promise<Json[]> {
    return eventually(async () => {
      const all = await caches();
      expect(all).toHaveLength(count);
      return all;
    }, within);
  }

  let looks = 0;
  /** Waits until the controller has seen the present objects: it has made a cache for a pod that came later. */
  async function untilItHasLooked(): Promise<void> {
    const image = `look-${++looks}:1`;
    await create(`look-${looks}`, [image]);
    const made = await eventually(async () => {
      const all = await caches();
      const found = all.find(({ spec }) => (spec as { images: string[] }).images.includes(image));
      expect(found).toBeDefined();
      return found!;
    }, 20_000);
    await plane.api.remove(`${PODS}/look-${looks}`);
    await plane.api.remove(`${IMAGE_CACHES}/${metadataOf(made).name}`);
  }

  const createdAt = ({ metadata }: Json): number =>
    Date.parse((metadata as { creationTimestamp: string }).creationTimestamp);

  const becomeReady = async (cache: Json, id: string): Promise<void> =>
    setStatus(plane.api, metadataOf(cache).name, { imageCacheId: id, phase: 'Ready', progress: '100%' });

  /** Waits until both replicas of the webhook know a cache; each dry run may go to either of them. */
  async function untilGiven(
    id: string,
    images: readonly string[],
    { namespace = 'default', annotations = {} }: { namespace?: string; annotations?: Json } = {},
  ): Promise<void> {
    const options = { ...ROOM, annotations: { ...ROOM.annotations, ...annotations } };
    await eventually(async () => {
      for (let i = 0; i < 4; i++) {
        const pod = await plane.api.create(
          `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
          podOf('next', images, options),
        );
        expect(metadataOf(pod).annotations).toMatchObject({ 'k8s.aliyun.com/eci-imc-id': id });
      }
    });
  }

  /** A kubeconfig for one of the chart's service accounts. */
  async function kubeconfigOf(account: string): Promise<string> {
    const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${account}/token`;
    const { status } = await plane.api.create(path, { spec: { expirationSeconds: 600 } });
    return kubeconfig(plane.url, plane.ca, status as Json);
  }

  /** The replica that holds the Lease. */
  async function leader(): Promise<RunningPod> {
    return eventually(async () => {
      const { spec } = await plane.api.get(
        `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${RELEASE}-controller`,
      );
      const { holderIdentity } = spec as { holderIdentity: string };
      expect(holderIdentity).not.toBe('');
      const leading = await Promise.all(
        kubelet.pods('controller').map(async (pod) => {
          const text = await (await fetch(`http://${pod.address}:9090/metrics`)).text();
          return /^imagecache_controller_leading 1$/m.test(text);
        }),
      );
      expect(leading.filter(Boolean)).toHaveLength(1);
      return kubelet.pods('controller')[leading.indexOf(true)]!;
    });
  }

  it('makes one cache for the fifty replicas of a Deployment that missed, and the next pod hits', async () => {
    const labels = { app: 'web', 'alibabacloud.com/eci': 'true' };
    const container = (name: string, image: string): Json => ({ name, image });
    await plane.api.create(DEPLOYMENTS, {
      metadata: { name: 'web' },
      spec: {
        replicas: 50,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: {
            labels,
            annotations: {
              ...ROOM.annotations,
              'k8s.aliyun.com/acr-instance-id': 'cri-1',
              'k8s.aliyun.com/plain-http-registry': 'harbor.example',
            },
          },
          spec: {
            nodeName: 'virtual-kubelet',
            imagePullSecrets: [{ name: 'registry' }],
            initContainers: [container('init', 'harbor.example/init:1')],
            containers: [container('web', 'nginx'), container('side', 'harbor.example/side:1')],
          },
        },
      },
    });
    const [cache] = await untilCaches(1);
    await eventually(async () => {
      const pods = (await plane.api.list(PODS)).map(metadataOf);
      expect(pods).toHaveLength(50);
      for (const { labels: marked, annotations } of pods) {
        expect(marked).toHaveProperty([MARKER]);
        expect(annotations['k8s.aliyun.com/eci-auto-imc']).toBe('false');
      }
    }, 30_000);
    const [pod] = (await plane.api.list(PODS)).map(metadataOf);
    expect(cache).toMatchObject({
      metadata: {
        name: expect.stringMatching(/^auto-[0-9a-f]{32}$/) as string,
        labels: {
          'imagecache-webhook.io/made-by': 'controller',
          'imagecache-webhook.io/image-set': pod!.labels[MARKER],
        },
        annotations: {
          'k8s.aliyun.com/acr-instance-ids': 'cri-1',
          'k8s.aliyun.com/plain-http-registry': 'harbor.example',
        },
      },
      spec: {
        // The images as written, sorted by their normalised references.
        images: ['nginx', 'harbor.example/init:1', 'harbor.example/side:1'],
        imageCacheSize: 30,
        imagePullSecrets: ['default:registry'],
      },
    });
    expect((cache!['spec'] as Json)['retentionDays']).toBeUndefined();
    expect(metadataOf(cache!)).not.toHaveProperty('ownerReferences');

    await eventually(async () => {
      const events = (await plane.api.list('/api/v1/namespaces/default/events')).filter(
        ({ source }) => (source as { component?: string }).component === 'imagecache-controller',
      );
      expect(events.map(({ reason, type, message }) => [reason, type, message])).toEqual(
        expect.arrayContaining([
          ['ImageCacheMissed', 'Normal', expect.stringContaining('found no image cache')],
          [
            'ImageCacheAutoCreated',
            'Normal',
            expect.stringContaining(`ImageCache ${metadataOf(cache!).name}`),
          ],
        ]) as unknown,
      );
      const { kind, name, uid } = events[0]!['involvedObject'] as { kind: string; name: string; uid: string };
      expect(kind).toBe('Pod');
      expect(metadataOf(await plane.api.get(`${PODS}/${name}`)).uid).toBe(uid);
    });
    const told = (reason: string): Promise<Json> =>
      eventually(async () => {
        const events = await plane.api.list('/api/v1/namespaces/default/events');
        const found = events.find((each) => each['reason'] === reason);
        expect(String(found?.['message'])).toContain(`ImageCache ${metadataOf(cache!).name}`);
        return found!;
      });
    // The next pod must be younger than the cache, and creation times are in whole seconds.
    await eventually(async () => {
      const later = await plane.api.create(`${PODS}?dryRun=All`, podOf('later', ['later:1']));
      expect(createdAt(later)).toBeGreaterThan(createdAt(cache!));
    });
    await plane.api.merge(`${DEPLOYMENTS}/web`, { spec: { replicas: 51 } });
    await eventually(async () => expect(await plane.api.list(PODS)).toHaveLength(51));
    await told('ImageCacheNotComplete');
    await becomeReady(cache!, 'imc-web');
    await untilGiven('imc-web', ['nginx', 'harbor.example/init:1', 'harbor.example/side:1'], {
      annotations: { 'k8s.aliyun.com/plain-http-registry': 'harbor.example' },
    });
    await plane.api.merge(`${DEPLOYMENTS}/web`, { spec: { replicas: 52 } });
    await eventually(async () => {
      const hits = (await plane.api.list(PODS)).filter(
        (each) => metadataOf(each).annotations['k8s.aliyun.com/eci-imc-id'] === 'imc-web',
      );
      expect(hits).toHaveLength(1);
    });
    const { message, involvedObject } = await told('SuccessfulHitImageCache');
    expect(message).toMatch(/^this pod was given ImageCache \S+ \(imc-web\), which holds 3 of 3 images$/);
    const hit = metadataOf(await plane.api.get(`${PODS}/${(involvedObject as { name: string }).name}`));
    expect(hit.annotations['k8s.aliyun.com/eci-imc-id']).toBe('imc-web');
    expect(await caches()).toHaveLength(1);
  });

  it('makes the cache for a new template with the sidecar that a pod of its namespace was given', async () => {
    await createNamespace(plane.api, 'meshed', { 'imagecache-webhook.io/prewarm': 'enabled' });
    await plane.api.untilPodsCanBeCreated('meshed');
    const labels = { app: 'mesh', 'alibabacloud.com/eci': 'true' };
    const deployments = inNamespace('meshed', 'apps/v1/deployments');
    const container = (tag: number): Json => ({ name: 'c', image: `registry.example/mesh:${tag}` });
    const sidecar = { name: 'proxy', image: 'registry.example/proxy:1' };
    const template = (tag: number): Json => ({
      metadata: { labels },
      spec: { containers: [container(tag)] },
    });
    await plane.api.create(deployments, {
      metadata: { name: 'mesh' },
      spec: { replicas: 0, selector: { matchLabels: { app: 'mesh' } }, template: template(1) },
    });
    // As an injector would have left it.
    await plane.api.create('/api/v1/namespaces/meshed/pods', {
      metadata: { name: 'mesh-1', labels },
      spec: { nodeName: 'virtual-kubelet', containers: [container(1), sidecar] },
    });
    const imagesOf = (cache: Json): string[] => (cache['spec'] as { images: string[] }).images;
    expect((await untilCaches(1)).map(imagesOf)).toEqual([['registry.example/mesh:1', sidecar.image]]);
    await plane.api.merge(`${deployments}/mesh`, { spec: { template: template(2) } });
    const made = await untilCaches(2, 40_000);
    expect(made.map(imagesOf)).toContainEqual(['registry.example/mesh:2', sidecar.image]);
    await plane.api.call('DELETE', deployments);
    await plane.api.call('DELETE', '/api/v1/namespaces/meshed/pods?gracePeriodSeconds=0');
  });

  it('makes the cache for a template before its first pod, if the namespace opts in, and that pod hits', async () => {
    const labels = { app: 'web', 'alibabacloud.com/eci': 'true' };
    // Of a private registry, because caches of public images are made without pull secrets.
    const ofRegistry = (image: string): string => `registry.example/${image}`;
    const template = (image: string, spec: Json = {}): Json => ({
      metadata: { labels },
      spec: { containers: [{ name: 'c', image: ofRegistry(image) }], ...spec },
    });
    const of = (name: string, spec: Json): Json => ({ metadata: { name }, spec });
    const selector = { matchLabels: { app: 'web' } };
    const scaled = (image: string): Json => ({ replicas: 0, selector, template: template(image) });
    await plane.api.merge('/api/v1/namespaces/ahead/serviceaccounts/default', {
      imagePullSecrets: [{ name: 'of-account' }],
    });
    const make = (resource: string, object: Json, namespace = 'ahead'): Promise<Json> =>
      plane.api.create(inNamespace(namespace, resource), object);

    await make('apps/v1/deployments', of('other', scaled('other:1')), 'default');
    await make('apps/v1/deployments', of('web', scaled('web:1')));
    await make('apps/v1/statefulsets', of('set', { ...scaled('set:1'), serviceName: 'set' }));
    const job = { template: template('job:1', { restartPolicy: 'Never' }) };
    await make('batch/v1/jobs', of('job', { parallelism: 0, ...job }));
    await make(
      'batch/v1/cronjobs',
      of('cron', {
        schedule: '0 0 1 1 *',
        suspend: true,
        jobTemplate: { spec: { template: template('cron:1', { restartPolicy: 'Never' }) } },
      }),
    );
    await make('serving.knative.dev/v1/services', {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Service',
      ...of('knative', { template: template('knative:1') }),
    });
    const workflow = {
      podMetadata: { labels },
      templates: [{ name: 'main', container: { image: ofRegistry('workflow:1') } }],
    };
    const argo = { apiVersion: 'argoproj.io/v1alpha1' };
    await make('argoproj.io/v1alpha1/workflowtemplates', {
      ...argo,
      kind: 'WorkflowTemplate',
      ...of('flow', workflow),
    });
    await make('argoproj.io/v1alpha1/cronworkflows', {
      ...argo,
      kind: 'CronWorkflow',
      ...of('nightly', {
        workflowSpec: {
          templates: [
            { ...workflow.templates[0], container: { image: ofRegistry('nightly:1') }, metadata: { labels } },
          ],
        },
      }),
    });
    await make('argoproj.io/v1alpha1/rollouts', {
      ...argo,
      kind: 'Rollout',
      ...of('rolling', { selector, template: template('rollout:1') }),
    });
    await make('apps.kruise.io/v1alpha1/clonesets', {
      apiVersion: 'apps.kruise.io/v1alpha1',
      kind: 'CloneSet',
      ...of('clones', { selector, template: template('clone:1') }),
    });
    // The template changes twice at once, and only the last template gets a cache.
    const change = (image: string): Promise<Json> =>
      plane.api.merge(`${inNamespace('ahead', 'apps/v1/deployments')}/web`, {
        spec: { template: { spec: { containers: [{ name: 'c', image: ofRegistry(image) }] } } },
      });
    await change('web:2');
    await change('web:3');

    const made = await untilCaches(9, 40_000);
    const images = [
      'clone:1',
      'cron:1',
      'job:1',
      'knative:1',
      'nightly:1',
      'rollout:1',
      'set:1',
      'web:3',
      'workflow:1',
    ];
    expect(made.flatMap((cache) => (cache['spec'] as { images: string[] }).images).toSorted()).toEqual(
      images.map(ofRegistry),
    );
    for (const cache of made) expect(cache['spec']).toMatchObject({ imagePullSecrets: ['ahead:of-account'] });
    expect(await plane.api.list('/api/v1/namespaces/ahead/pods')).toEqual([]);

    const ofWeb = made.find((cache) =>
      (cache['spec'] as { images: string[] }).images.includes(ofRegistry('web:3')),
    )!;
    await eventually(async () => {
      const events = await plane.api.list('/api/v1/namespaces/ahead/events');
      const told = events.filter(({ reason }) => reason === 'ImageCacheAutoCreated');
      expect(told.map(({ involvedObject }) => String((involvedObject as Json)['kind'])).toSorted()).toEqual([
        'CloneSet',
        'CronJob',
        'CronWorkflow',
        'Deployment',
        'Job',
        'Rollout',
        'Service',
        'StatefulSet',
        'WorkflowTemplate',
      ]);
    });
    await becomeReady(ofWeb, 'imc-web-3');
    await untilGiven('imc-web-3', [ofRegistry('web:3')], { namespace: 'ahead' });
    expect(metadataOf(ofWeb).annotations).toMatchObject({ 'imagecache-webhook.io/namespaces': 'ahead' });
    await plane.api.merge(`${inNamespace('ahead', 'apps/v1/deployments')}/web`, { spec: { replicas: 1 } });
    await eventually(async () => {
      const [pod] = await plane.api.list('/api/v1/namespaces/ahead/pods');
      expect(metadataOf(pod!).annotations).toMatchObject({ 'k8s.aliyun.com/eci-imc-id': 'imc-web-3' });
    });
    // Scaling is no change of the template, so it leads to no other cache.
    await untilItHasLooked();
    expect(await caches()).toHaveLength(9);
  });

  it('makes no cache for a pod that was deleted, nor for images for which somebody makes a cache by hand', async () => {
    const acting = await leader();
    acting.process.kill('SIGSTOP');
    const other = kubelet.pods('controller').find((pod) => pod !== acting)!;
    other.process.kill('SIGSTOP');
    await create('gone', ['gone:1']);
    await create('by-hand', ['by-hand:1']);
    await plane.api.remove(`${PODS}/gone`);
    await putImageCache(plane.api, { name: 'mine', images: ['by-hand:1'], phase: 'Creating', id: null });
    await create('missed', ['missed:1']);
    acting.process.kill('SIGCONT');
    other.process.kill('SIGCONT');
    const all = await untilCaches(2);
    await untilItHasLooked();
    expect(await caches()).toHaveLength(2);
    expect(all.map((cache) => (cache['spec'] as { images: string[] }).images)).toEqual(
      expect.arrayContaining([['by-hand:1'], ['missed:1']]),
    );
  });

  it('writes an Event on the pod whose cache fails, as when ECI has reached its quota', async () => {
    await create('unlucky', ['unlucky:1']);
    const [made] = await untilCaches(1);
    const { name } = metadataOf(made!);
    await setStatus(plane.api, name, { phase: 'Failed', progress: '10%' });
    await eventually(async () => {
      const events = await plane.api.list('/api/v1/namespaces/default/events');
      const told = events.find(({ message }) =>
        String(message).includes(`${name} for this pod's images failed`),
      );
      expect(told).toMatchObject({
        type: 'Warning',
        reason: 'ImageCacheNotComplete',
        involvedObject: { name: 'unlucky' },
      });
    });
  });

  it('deletes its expired caches, and never a cache that was made by hand', async () => {
    const expired = { phase: 'Ready', expireDateTime: '2026-01-01T00:00:00Z', imageCacheId: 'imc-old' };
    await putImageCache(plane.api, { name: 'mine', images: ['old:1'] });
    await setStatus(plane.api, 'mine', expired);
    await create('p', ['new:1']);
    const all = await untilCaches(2);
    await plane.api.remove(`${PODS}/p`);
    const made = all.find((cache) => metadataOf(cache).name !== 'mine')!;
    await setStatus(plane.api, metadataOf(made).name, { ...expired, imageCacheId: 'imc-new' });
    const [left] = await untilCaches(1);
    expect(metadataOf(left!).name).toBe('mine');
  });

  it('never deletes a cache that a pod on a node starts from, and records that the cache is used', async () => {
    await create('p', ['kept:1']);
    const [made] = await untilCaches(1);
    await becomeReady(made!, 'imc-kept');
    await eventually(async () => {
      const pod = await create(`hit-${Date.now()}`, ['kept:1']);
      expect(metadataOf(pod).annotations['k8s.aliyun.com/eci-imc-id']).toBe('imc-kept');
    });
    // The controller has recorded the use in annotations of the cache.
    await eventually(async () => {
      const [inUse] = await caches();
      const { annotations } = metadataOf(inUse!);
      expect(annotations).toMatchObject({
        'imagecache-webhook.io/hits': '1',
        'imagecache-webhook.io/users': 'default',
        'imagecache-webhook.io/made-for': 'default',
      });
      const lastUsed = Date.parse(annotations['imagecache-webhook.io/last-used'] as string);
      expect(Math.abs(Date.now() - lastUsed)).toBeLessThan(60_000);
    }, 30_000);
    // Another cache, which no pod points to, expires later; once it is deleted, the controller has seen both.
    await create('other', ['other:1']);
    const other = (await untilCaches(2)).find((each) => metadataOf(each).name !== metadataOf(made!).name)!;
    await plane.api.remove(`${PODS}/other`);
    for (const cache of [made!, other])
      await setStatus(plane.api, metadataOf(cache).name, {
        imageCacheId: cache === other ? 'imc-other' : 'imc-kept',
        expireDateTime: '2026-01-01T00:00:00Z',
      });
    expect((await untilCaches(1)).map((each) => metadataOf(each).name)).toEqual([metadataOf(made!).name]);
    await plane.api.call('DELETE', `${PODS}?gracePeriodSeconds=0`);
    await untilCaches(0);
  });

  it('marks a Ready cache before it deletes it, so that the webhook gives it to nobody in between', async () => {
    await create('p', ['idle:1']);
    const [made] = await untilCaches(1);
    const { name } = metadataOf(made!);
    await becomeReady(made!, 'imc-idle');
    await plane.api.remove(`${PODS}/p`);
    await untilGiven('imc-idle', ['idle:1']);
    // What the controller would write after a month.
    await plane.api.merge(`${IMAGE_CACHES}/${name}`, {
      metadata: { annotations: { 'imagecache-webhook.io/retiring': 'Idle 2026-11-30T12:00:00Z' } },
    });
    await eventually(async () => {
      const pod = await plane.api.create(`${PODS}?dryRun=All`, podOf('next', ['idle:1']));
      expect(metadataOf(pod).annotations).not.toHaveProperty(['k8s.aliyun.com/eci-imc-id']);
    });
    expect(await caches()).toHaveLength(1);
    await untilCaches(0, 30_000);
  });

  it('takes the mark back from a cache that a pod starts from at the end of the wait', async () => {
    await create('p', ['back:1']);
    const [made] = await untilCaches(1);
    const { name } = metadataOf(made!);
    await becomeReady(made!, 'imc-back');
    await plane.api.remove(`${PODS}/p`);
    await plane.api.merge(`${IMAGE_CACHES}/${name}`, {
      metadata: { annotations: { 'imagecache-webhook.io/retiring': 'Idle 2026-11-30T12:00:00Z' } },
    });
    const pinned = { annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-back' } };
    await create('late', ['back:1'], pinned);
    await eventually(async () => {
      const [cache] = await caches();
      expect(metadataOf(cache!).annotations).not.toHaveProperty(['imagecache-webhook.io/retiring']);
    }, 30_000);
  });

  it('makes no cache for a pod on a normal node, nor for a node that does not exist, nor for a forged marker', async () => {
    await plane.api.create('/api/v1/nodes', { metadata: { name: 'worker' } });
    const forged = { [MARKER]: 'anything' };
    await create('normal', ['normal:1'], { spec: { nodeName: 'worker' } });
    await create('nowhere', ['nowhere:1'], { spec: { nodeName: 'virtual-kubelet-that-is-not-there' } });
    await plane.api.create('/api/v1/namespaces/kube-system/pods', {
      ...podOf('forged', ['forged:1']),
      metadata: { name: 'forged', labels: forged, annotations: forged },
    });
    await untilItHasLooked();
    await untilItHasLooked();
    expect(await caches()).toEqual([]);
    await plane.api.remove('/api/v1/namespaces/kube-system/pods/forged');
  });

  it('changes and deletes an ImageCache only if it is the one that was read, unchanged', async () => {
    await create('p', ['named:1']);
    const [made] = await untilCaches(1);
    const { name, uid } = metadataOf(made!);
    const { resourceVersion } = made!['metadata'] as { resourceVersion: string };
    const config = new KubeConfig();
    config.loadFromString(await kubeconfigOf(`${RELEASE}-controller`));
    const { signal } = new AbortController();
    const ignore = (): void => undefined;
    const events = {
      onFailure: ignore,
      onStep: ignore,
      onChange: ignore,
      onPlaced: ignore,
      onPull: ignore,
      onScope: ignore,
    };
    const source = new ControllerSource(
      new ApiClient(() => config),
      events,
      {
        maxStalenessMs: 60_000,
        prewarm: false,
        podLives: undefined,
        webhookConfiguration: 'x',
        hasDigests: false,
      },
      SYSTEM_CLOCK,
    );
    expect(await source.delete(ownCache(name, 0, { uid: 'of-another', resourceVersion }), signal)).toBe(
      'outdated',
    );
    expect(await caches()).toHaveLength(1);
    await plane.api.remove(`${PODS}/p`);
    const read = ownCache(name, 0, { uid, resourceVersion });
    expect(await source.annotate(read, { a: 'b' }, signal)).toBe('done');
    // The cache has changed since it was read.
    expect(await source.delete(read, signal)).toBe('outdated');
    expect(await source.annotate(read, { a: 'c' }, signal)).toBe('outdated');
    const [changed] = await caches();
    const now = ownCache(name, 0, { uid, ...(changed!['metadata'] as { resourceVersion: string }), name });
    expect(await source.delete({ ...now, uid }, signal)).toBe('done');
    expect(await source.delete({ ...now, uid }, signal)).toBe('outdated');
    // The connection was kept, and still works.
    expect(
      await source.create({ apiVersion: 'eci.alibabacloud.com/v1', kind: 'ImageCache' }, signal),
    ).toEqual({
      refused: expect.stringContaining('name or generateName is required') as string,
    });
  });

  it('continues after its leader was killed, and makes no cache twice', async () => {
    const images = Array.from({ length: 40 }, (_, i) => `set-${i}:1`);
    const creating = (async () => {
      for (const [i, image] of images.entries()) {
        await create(`p${i}`, [image]);
        await create(`q${i}`, [image]);
      }
    })();
    for (let i = 0; i < 3; i++) {
      (await leader()).process.kill('SIGKILL');
    }
    await creating;
    const all = await untilCaches(40, 40_000);
    expect(new Set(all.map((cache) => (cache['spec'] as { images: string[] }).images.join())).size).toBe(40);
  });

  it('makes the caches for 2,000 marked pods of 300 image sets with one write for each set', async () => {
    const written = (): number =>
      audited(plane.auditLog).filter(
        ({ verb, user, objectRef: { resource } }) =>
          user.username === ACCOUNT &&
          ['create', 'delete', 'update', 'patch'].includes(verb) &&
          resource === 'imagecaches',
      ).length;
    const before = written();
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < 2000) {
        const i = next++;
        await create(`pod-${i}`, [`app-${i % 300}:1`, 'sidecar:1']);
      }
    };
    await Promise.all(Array.from({ length: 8 }, client));
    await untilCaches(300, 60_000);
    await untilItHasLooked();
    expect(await caches()).toHaveLength(300);
    // One more for the cache that untilItHasLooked has made.
    expect(written() - before).toBe(300 + 1);
  });

  it('makes caches that become Ready and that later pods hit, if imc simulate-eci stands in for ECI', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const metadata = { name: 'simulate-eci' };
    await plane.api.create(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { metadata });
    await plane.api.create(`${rbac}/clusterroles`, {
      metadata,
      rules: [
        { apiGroups: ['eci.alibabacloud.com'], resources: ['imagecaches'], verbs: ['list', 'delete'] },
        { apiGroups: ['eci.alibabacloud.com'], resources: ['imagecaches/status'], verbs: ['patch'] },
      ],
    });
    await plane.api.create(`${rbac}/clusterrolebindings`, {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', ...metadata },
      subjects: [{ kind: 'ServiceAccount', namespace: NAMESPACE, ...metadata }],
    });
    const folder = temporaryFolder({ kubeconfig: await kubeconfigOf('simulate-eci') });
    const eci = start([
      'simulate-eci',
      '--source=kubernetes',
      `--kubeconfig=${folder.path}/kubeconfig`,
      '--creation-time=2s',
      '--fail=broken',
    ]);
    let printed = '';
    for (const stream of [eci.stdout!, eci.stderr!])
      stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await create('p', ['missed:1']);
    await create('q', ['broken:1']);
    await eventually(async () => {
      const pod = await create(`next-${Date.now()}`, ['missed:1']);
      expect(metadataOf(pod).annotations['k8s.aliyun.com/eci-imc-id']).toMatch(/^imc-[0-9a-f]{20}$/);
    }, 20_000);
    await eventually(async () => {
      const phases = (await caches()).map(({ status }) => (status as Json | undefined)?.['phase']);
      expect(new Set(phases)).toEqual(new Set(['Failed', 'Ready']));
    }, 20_000);
    expect(printed).toMatch(/^auto-[0-9a-f]{32} {2}Ready {6}█{20} 100%$/m);
    eci.kill('SIGTERM');
    expect(await once(eci, 'exit')).toEqual([0, null]);
    folder.remove();
  });

  it('was refused no request, and used every right of its own roles and no other right', () => {
    const rules = (kind: string, name: string): Rule[] => find(objects, kind, name)['rules'] as Rule[];
    const name = `${RELEASE}-controller`;
    const all = [
      ...granted(rules('ClusterRole', name)),
      ...granted(rules('Role', name), 'kube-system'),
      ...granted(rules('Role', `${name}-lease`), NAMESPACE),
    ];
    const events = audited(plane.auditLog);
    expect(refusedOf(events)).toEqual([]);
    const done = usedBy(events, ACCOUNT);
    expect(done.filter((each) => !all.includes(each))).toEqual([]);
    expect(unusedBy(events, ACCOUNT, all)).toEqual([]);
  });
});
