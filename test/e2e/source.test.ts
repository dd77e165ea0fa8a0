/** The kubernetes source on a real API server: what it reads, how fast it follows, and what it reports of itself. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import type { ControlPlane } from './support/control-plane.ts';
import {
  createNamespace,
  IMAGE_CACHE_CRD,
  IMAGE_CACHES,
  startCluster,
  installCrd,
  metadataOf,
  putImageCache,
  readManifest,
  register,
  removeCrd,
  runPod,
  setStatus,
  startInCluster,
  type PodRequest,
  type WebhookInCluster,
} from './support/cluster.ts';

const SELECTOR_CRD = readManifest('test/e2e/fixtures/selectors-crd.yaml');
const SELECTORS = '/apis/eci.aliyun.com/v1/namespaces/default/selectors';
const CONFIG_MAPS = '/api/v1/namespaces/kube-system/configmaps';
const PIN = 'k8s.aliyun.com/eci-imc-id';
const ECI = { 'alibabacloud.com/eci': 'true' };

let plane: ControlPlane;
let webhook: WebhookInCluster;

beforeAll(async () => {
  plane = await startCluster();
  // Each watch lasts for one second, so that several watches follow one another in every test.
  webhook = await startInCluster(plane, { maxStaleness: '3s' });
  await webhook.synced;
  await register(plane.api, 'imagecache-webhook', webhook);
});
afterAll(async () => {
  await webhook?.stop();
  await plane?.stop();
});

const annotations = async (pod: PodRequest): Promise<Json> =>
  metadataOf(await runPod(plane.api, pod)).annotations;

/** Waits until a new pod has the expected annotations, because a watch takes some milliseconds. */
async function soon(pod: PodRequest, expected: unknown): Promise<void> {
  await eventually(async () => expect(await annotations(pod)).toEqual(expected));
}

const decided = (values: Json = {}): unknown => expect.objectContaining(values);
const without = (key: string): unknown => expect.not.objectContaining({ [key]: expect.anything() });

const metrics = (): Promise<string> => webhook.metrics();

async function readiness(): Promise<{
  status: string;
  kinds: { kind: string; state: string; objects: number }[];
}> {
  const { status, body } = await webhook.get('/readyz');
  expect(status).toBe(200);
  return body as never;
}

describe('an ImageCache', () => {
  const pod = { images: ['life:1'], labels: ECI };
  const hit = decided({ [PIN]: 'imc-life' });
  const miss = without(PIN);

  it('is used only while it is Ready, exists and is not being deleted', async () => {
    await putImageCache(plane.api, { name: 'life', images: ['life:1'], phase: 'Creating', progress: '40%' });
    await soon(pod, decided({ 'imagecache-webhook.io/decision': expect.stringContaining('Creating 40%') }));
    await setStatus(plane.api, 'life', { phase: 'Ready', progress: '100%' });
    await soon(pod, hit);
    await setStatus(plane.api, 'life', { phase: 'Failed' });
    await soon(pod, miss);
    await setStatus(plane.api, 'life', { phase: 'Ready' });
    await soon(pod, hit);
    await plane.api.merge(`${IMAGE_CACHES}/life`, { metadata: { finalizers: ['example.com/hold'] } });
    await plane.api.remove(`${IMAGE_CACHES}/life`);
    await soon(pod, decided({ 'imagecache-webhook.io/decision': expect.stringContaining('being deleted') }));
    await plane.api.merge(`${IMAGE_CACHES}/life`, { metadata: { finalizers: null } });
    await soon(
      pod,
      decided({
        'imagecache-webhook.io/decision': expect.stringContaining('no ImageCache in this cluster holds'),
      }),
    );
  });

  it('that cannot be read is not used, is named in the log, and counted in the metrics', async () => {
    await putImageCache(plane.api, { name: 'odd', images: ['odd:1'] });
    await soon({ images: ['odd:1'], labels: ECI }, decided({ [PIN]: 'imc-odd' }));
    await setStatus(plane.api, 'odd', { expireDateTime: 'tomorrow' });
    await soon({ images: ['odd:1'], labels: ECI }, miss);
    expect(webhook.logged.map(({ problem }) => problem)).toContain(
      'ImageCache odd: status.expireDateTime is no time; it must be like 2026-01-31T12:00:00Z; it is not used',
    );
    expect(await metrics()).toContain('imagecache_webhook_source_problems 1');
    await setStatus(plane.api, 'odd', { expireDateTime: null });
    await soon({ images: ['odd:1'], labels: ECI }, decided({ [PIN]: 'imc-odd' }));
    expect(await metrics()).toContain('imagecache_webhook_source_problems 0');
  });
});

describe('an ImageCache of one namespace', () => {
  it('is given to the pods of that namespace alone, and denied to the pins of others', async () => {
    for (const name of ['team-a', 'team-b']) await createNamespace(plane.api, name, ECI);
    const { metadata } = await plane.api.get('/api/v1/namespaces/team-a');
    const { uid } = metadata as { uid: string };
    const own = (namespaceUid: string): Json => ({
      metadata: {
        annotations: {
          'imagecache-webhook.io/namespaces': 'team-a',
          'imagecache-webhook.io/namespace-uid': namespaceUid,
        },
      },
    });
    await putImageCache(plane.api, { name: 'private', images: ['private:1'] });
    await plane.api.merge(`${IMAGE_CACHES}/private`, own(uid));
    const of = (namespace: string): PodRequest => ({ images: ['private:1'], namespace });
    await soon(of('team-a'), decided({ [PIN]: 'imc-private' }));
    await soon(of('team-b'), without(PIN));
    const { status, body } = await plane.api.send('POST', '/api/v1/namespaces/team-b/pods?dryRun=All', {
      metadata: { name: 'pins', annotations: { [PIN]: 'imc-private' } },
      spec: { containers: [{ name: 'c', image: 'private:1' }] },
    });
    expect([status, body]).toEqual([422, expect.stringContaining('belongs to another namespace')]);
    // As if the namespace had been deleted and made anew.
    await plane.api.merge(`${IMAGE_CACHES}/private`, own('another-uid'));
    await soon(of('team-a'), without(PIN));
  });
});

describe('namespaces and nodes', () => {
  it('a namespace that is labelled for ECI makes its next pod an ECI pod, until the label goes', async () => {
    await putImageCache(plane.api, { name: 'ns', images: ['ns:1'] });
    await createNamespace(plane.api, 'team');
    const pod = { images: ['ns:1'], namespace: 'team' };
    expect(await annotations(pod)).toEqual({});
    await plane.api.merge('/api/v1/namespaces/team', { metadata: { labels: ECI } });
    await soon(pod, decided({ [PIN]: 'imc-ns' }));
    await plane.api.merge('/api/v1/namespaces/team', {
      metadata: { labels: { 'alibabacloud.com/eci': null } },
    });
    await soon(pod, {});
  });

  it('a node shows whether it is virtual, and how large its images are', async () => {
    await putImageCache(plane.api, { name: 'small', images: ['sized:1'], size: 20 });
    await putImageCache(plane.api, { name: 'large', images: ['sized:1'], size: 40 });
    const spec = { nodeName: 'edge-7' };
    const pod = {
      images: ['sized:1'],
      spec,
      annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': '20Gi' },
    };
    expect(await annotations(pod)).toEqual(pod.annotations);
    await plane.api.create('/api/v1/nodes', {
      metadata: { name: 'edge-7', labels: { type: 'virtual-kubelet' } },
    });
    await soon(pod, decided({ [PIN]: 'imc-small' }));
    await plane.api.merge('/api/v1/nodes/edge-7/status', {
      status: { images: [{ names: ['docker.io/library/sized:1'], sizeBytes: 39 * 2 ** 30 }] },
    });
    await soon(pod, decided({ [PIN]: 'imc-large' }));
    await plane.api.remove('/api/v1/nodes/edge-7');
    await soon(pod, pod.annotations);
  });
});

describe('eci-profile', () => {
  const pod = { images: ['profile:1'], labels: { app: 'web' } };
  const effect = (value: string): Json => ({ annotations: { 'example.com/from': value } });
  const selectors = (value: string): string =>
    JSON.stringify([{ name: 'web', objectSelector: { matchLabels: { app: 'web' } }, effect: effect(value) }]);
  const from = (value: string): unknown => decided({ 'example.com/from': value });

  afterEach(async () => {
    await plane.api.remove(`${CONFIG_MAPS}/eci-profile`);
  });

  it('an edit of the ConfigMap, and its removal, change the next pod', async () => {
    expect(await annotations(pod)).toEqual({});
    await plane.api.create(CONFIG_MAPS, {
      metadata: { name: 'eci-profile' },
      data: { selectors: selectors('first') },
    });
    await soon(pod, from('first'));
    await plane.api.merge(`${CONFIG_MAPS}/eci-profile`, { data: { selectors: selectors('second') } });
    await soon(pod, from('second'));
    // A ConfigMap of that name in another namespace, and another ConfigMap in that namespace, are ignored.
    await plane.api.create('/api/v1/namespaces/default/configmaps', {
      metadata: { name: 'eci-profile' },
      data: { selectors: selectors('elsewhere') },
    });
    await plane.api.create(CONFIG_MAPS, { metadata: { name: 'other' }, data: { selectors: '{' } });
    expect(await annotations(pod)).toEqual(from('second'));
    await plane.api.remove(`${CONFIG_MAPS}/eci-profile`);
    await soon(pod, {});
  });

  it('comments as in the vendor’s example are accepted', async () => {
    const commented = `[ # all of web\n${selectors('commented').slice(1, -1)} # and no more\n]`;
    await plane.api.create(CONFIG_MAPS, {
      metadata: { name: 'eci-profile' },
      data: { selectors: commented },
    });
    await soon(pod, from('commented'));
  });

  it('broken JSON leaves the last good profile in force, and is reported in log, metric and Event', async () => {
    await plane.api.create(CONFIG_MAPS, {
      metadata: { name: 'eci-profile' },
      data: { selectors: selectors('good') },
    });
    await soon(pod, from('good'));
    const { metadata } = await plane.api.merge(`${CONFIG_MAPS}/eci-profile`, {
      data: { selectors: '[{"name": ' },
    });
    const problem = expect.stringMatching(
      /^ConfigMap kube-system\/eci-profile: data\.selectors is not JSON: .*; its last good state stays in force$/,
    ) as string;
    await eventually(async () => {
      expect(webhook.logged).toContainEqual(expect.objectContaining({ level: 40, problem }));
      expect(await metrics()).toContain('imagecache_webhook_source_problems 1');
      expect(await plane.api.list('/api/v1/namespaces/kube-system/events')).toContainEqual(
        expect.objectContaining({
          type: 'Warning',
          reason: 'InvalidEciProfile',
          message: problem,
          source: { component: 'imagecache-webhook' },
          involvedObject: expect.objectContaining({
            kind: 'ConfigMap',
            name: 'eci-profile',
            uid: (metadata as Json)['uid'],
          }) as unknown,
        }),
      );
    });
    expect(await annotations(pod)).toEqual(from('good'));
    await plane.api.merge(`${CONFIG_MAPS}/eci-profile`, { data: { selectors: selectors('mended') } });
    await soon(pod, from('mended'));
    expect(await metrics()).toContain('imagecache_webhook_source_problems 0');
  });

  it('parts that Kubernetes would refuse are left out and reported, the rest takes effect, and no pod fails', async () => {
    const parts = [
      { name: 'matches-nothing', objectSelector: { matchLabels: { 'not a key': 'x' } } },
      {
        name: 'web',
        objectSelector: { matchLabels: { app: 'web' } },
        effect: {
          annotations: { 'example.com/from': 'partly', 'not a key': 'x' },
          labels: { 'example.com/label': 'not a value' },
        },
      },
    ];
    await plane.api.create(CONFIG_MAPS, {
      metadata: { name: 'eci-profile' },
      data: { selectors: JSON.stringify(parts) },
    });
    await soon(pod, from('partly'));
    const { body, status } = await webhook.get('/readyz');
    const { problems } = body as { problems: string[] };
    expect(status).toBe(200);
    expect(problems).toEqual([
      expect.stringMatching(
        /^ConfigMap kube-system\/eci-profile: .*selectors\[0\].*matches nothing; .*"not a key".*not applied; .*"example\.com\/label".*not applied$/,
      ),
    ]);
    await eventually(async () =>
      expect(await plane.api.list('/api/v1/namespaces/kube-system/events')).toContainEqual(
        expect.objectContaining({ reason: 'InvalidEciProfile', message: problems[0] }),
      ),
    );
  });

  it('Selectors take effect when their CRD and their objects are created, changed and deleted', async () => {
    const selector = (name: string, value: string, priority: number): Json => ({
      apiVersion: 'eci.aliyun.com/v1',
      kind: 'Selector',
      metadata: { name },
      spec: { objectLabels: { matchLabels: { app: 'web' } }, effect: effect(value), priority },
    });
    expect((await readiness()).kinds).toContainEqual(
      expect.objectContaining({ kind: 'Selector', state: 'absent', objects: 0 }),
    );
    expect(await metrics()).toContain('imagecache_webhook_source_kind_served{kind="Selector"} 0');
    await installCrd(plane.api, SELECTOR_CRD);
    await plane.api.create(SELECTORS, selector('web', 'a', 0));
    await soon(pod, from('a'));
    await plane.api.create(SELECTORS, selector('more', 'b', 5));
    await soon(pod, from('b'));
    await plane.api.merge(`${SELECTORS}/web`, { spec: { priority: 6 } });
    await soon(pod, from('a'));
    await plane.api.remove(`${SELECTORS}/web`);
    await soon(pod, from('b'));
    expect(await metrics()).toContain('imagecache_webhook_source_kind_served{kind="Selector"} 1');
    await removeCrd(plane.api, SELECTOR_CRD);
    await soon(pod, {});
    await eventually(async () =>
      expect((await readiness()).kinds).toContainEqual(
        expect.objectContaining({ kind: 'Selector', state: 'absent', objects: 0 }),
      ),
    );
  });

  it('Selectors of a cluster that has only their older version are read as well', async () => {
    const older = structuredClone(SELECTOR_CRD);
    const spec = older['spec'] as { scope: string; versions: { name: string }[] };
    spec.scope = 'Cluster';
    spec.versions[0]!.name = 'v1beta1';
    await eventually(() => installCrd(plane.api, older));
    await plane.api.create('/apis/eci.aliyun.com/v1beta1/selectors', {
      apiVersion: 'eci.aliyun.com/v1beta1',
      kind: 'Selector',
      metadata: { name: 'old' },
      spec: { objectLabels: { matchLabels: { app: 'web' } }, effect: effect('old') },
    });
    await soon(pod, from('old'));
    await removeCrd(plane.api, older);
    await soon(pod, {});
  });
});

describe('a cluster without the ImageCache resource', () => {
  it('does not support image caches: pods are left alone, and a pod that asks for a cache gets a warning', async () => {
    await removeCrd(plane.api, IMAGE_CACHE_CRD);
    const plain = { images: ['life:1'], labels: ECI };
    const asking = { ...plain, annotations: { [PIN]: 'imc-1' } };
    await soon(plain, {});
    expect(await annotations(asking)).toEqual(asking.annotations);
    await eventually(async () => {
      expect((await readiness()).status).toContain('image caches are not supported here');
    });
    expect(await metrics()).toContain('imagecache_webhook_source_kind_served{kind="ImageCache"} 0');
    const { headers } = await plane.api.send('POST', '/api/v1/namespaces/default/pods?dryRun=All', {
      metadata: { name: 'asks', annotations: asking.annotations },
      spec: { containers: [{ name: 'c', image: 'life:1' }] },
    });
    expect(headers['warning']).toContain('image caches are not supported here');
  });

  it('supports image caches again once the resource is installed again', async () => {
    await eventually(() => installCrd(plane.api, IMAGE_CACHE_CRD));
    await putImageCache(plane.api, { name: 'again', images: ['life:1'] });
    await soon({ images: ['life:1'], labels: ECI }, decided({ [PIN]: 'imc-again' }));
    expect((await readiness()).status).toBe('ready');
  });
});
