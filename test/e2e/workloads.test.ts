/**
 * Pods that the controllers of a real cluster make: the API server calls the webhook for each, and the tests look at
 * the stored pods.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import { podObject, type Json } from '../support/objects.ts';
import {
  createNamespace,
  makeDue,
  ONCE_A_YEAR,
  startCluster,
  metadataOf,
  putImageCache,
  register,
  runPod,
  startInCluster,
  unregister,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { startProxy, type FaultyProxy } from './support/proxy.ts';
import { startSidecarInjector } from './support/other-webhooks.ts';

const P = 'k8s.aliyun.com/';
const PIN = `${P}eci-imc-id`;
const DECISION = 'imagecache-webhook.io/decision';
const ECI = { 'alibabacloud.com/eci': 'true' };
const NGINX = 'registry.cn-shanghai.aliyuncs.com/eci_open/nginx:1.14.2';
const BUSYBOX = 'registry.cn-shanghai.aliyuncs.com/eci_open/busybox:1.30';
const GO = 'registry.cn-hangzhou.aliyuncs.com/knative-sample/helloworld-go:73fbdd56';

/** With these settings the webhook does what the vendor's documents say to the letter: a partial match is used. */
const LITERALLY = { partialHits: 'use', 'createOnMiss.when': 'no-match' };

let plane: ControlPlane;
let webhook: WebhookInCluster;
/** Counts the webhook's requests to the API server. */
let proxy: FaultyProxy;

beforeAll(async () => {
  plane = await startCluster();
  await putImageCache(plane.api, { name: 'sample', images: [NGINX, BUSYBOX], size: 25 });
  await putImageCache(plane.api, { name: 'go', images: [GO] });
  await putImageCache(plane.api, { name: 'whalesay', images: ['docker/whalesay'] });
  await putImageCache(plane.api, { name: 'old-nginx', images: ['nginx:1.7.9'] });
  proxy = await startProxy(plane);
  webhook = await startInCluster(plane, LITERALLY, proxy);
  await webhook.synced;
  await register(plane.api, 'imagecache-webhook', webhook);
  await createNamespace(plane.api, 'eci-team', ECI);
});
afterAll(async () => {
  await webhook?.stop();
  await proxy?.close();
  await plane?.stop();
});

const list = (namespace: string, labels: string): Promise<Json[]> =>
  plane.api.list(`/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(labels)}`);

/** Waits until a controller has made this many pods. @returns their annotations */
async function made(labels: string, count: number, namespace = 'default'): Promise<Json[]> {
  const pods = await eventually(async () => {
    const found = await list(namespace, labels);
    expect(found).toHaveLength(count);
    return found;
  }, 30_000);
  return pods.map((pod) => metadataOf(pod).annotations);
}

const template = (app: string, annotations: Json, labels: Json = ECI, spec: Json = {}): Json => ({
  metadata: { labels: { app, ...labels }, annotations },
  spec: {
    containers: [
      { name: 'nginx', image: NGINX },
      { name: 'busybox', image: BUSYBOX },
    ],
    ...spec,
  },
});
const workload = (app: string, annotations: Json, spec: Json = {}, labels: Json = ECI): Json => ({
  metadata: { name: app },
  spec: { selector: { matchLabels: { app } }, template: template(app, annotations, labels), ...spec },
});
const givenAs =
  (outcome: 'hit' | 'partial') =>
  (id: string, request: Json = {}): unknown =>
    expect.objectContaining({
      ...request,
      [PIN]: id,
      [DECISION]: expect.stringContaining(`"outcome":"${outcome}"`),
    });
const hit = givenAs('hit');
const partial = givenAs('partial');

describe('the pods of', () => {
  const ASKED = { [`${P}eci-auto-imc`]: 'true', [`${P}imc-perfect-match`]: 'true' };

  it("a Deployment, annotated as in the vendor's example, and of each new revision", async () => {
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    await plane.api.create(deployments, workload('deployment', ASKED, { replicas: 2 }));
    expect(await made('app=deployment', 2)).toEqual([hit('imc-sample', ASKED), hit('imc-sample', ASKED)]);
    await plane.api.merge(`${deployments}/deployment`, {
      spec: { template: { metadata: { annotations: { [PIN]: 'imc-go' }, labels: { revision: '2' } } } },
    });
    const [pinned] = await made('app=deployment,revision=2', 1);
    expect(pinned).toMatchObject({ ...ASKED, [PIN]: 'imc-go' });
    expect(JSON.parse(String(pinned?.[DECISION]))).toMatchObject({ outcome: 'pinned' });
    // The webhook does not change the template.
    const deployment = await plane.api.get(`${deployments}/deployment`);
    expect(JSON.stringify(deployment['spec'])).not.toContain(DECISION);
  });

  it('a Deployment with the older names', async () => {
    await plane.api.create(
      '/apis/apps/v1/namespaces/default/deployments',
      workload('legacy', { [`${P}eci-image-cache`]: 'true' }, {}, {}),
    );
    expect(await made('app=legacy', 1)).toEqual([
      hit('imc-sample', { [`${P}eci-image-cache`]: 'true', [`${P}eci-auto-imc`]: 'true' }),
    ]);
  });

  it('a StatefulSet', async () => {
    const spec = { replicas: 1, serviceName: 'stateful' };
    await plane.api.create('/apis/apps/v1/namespaces/default/statefulsets', workload('stateful', {}, spec));
    expect(await made('app=stateful', 1)).toEqual([hit('imc-sample')]);
  });

  it('a DaemonSet', async () => {
    const node = { metadata: { name: 'virtual-kubelet-cn-beijing-i', labels: { type: 'virtual-kubelet' } } };
    await plane.api.create('/api/v1/nodes', node);
    // A new node has a taint because it is not ready; its kubelet would make the node ready.
    await plane.api.merge(`/api/v1/nodes/${node.metadata.name}`, { spec: { taints: null } });
    await plane.api.create('/apis/apps/v1/namespaces/default/daemonsets', workload('daemon', {}));
    expect(await made('app=daemon', 1)).toEqual([hit('imc-sample')]);
  });

  it('a Job', async () => {
    const job = { template: template('job', {}, ECI, { restartPolicy: 'Never' }), parallelism: 2 };
    await plane.api.create('/apis/batch/v1/namespaces/default/jobs', {
      metadata: { name: 'job' },
      spec: job,
    });
    expect(await made('app=job', 2)).toEqual([hit('imc-sample'), hit('imc-sample')]);
  });

  it('a CronJob', async () => {
    const path = '/apis/batch/v1/namespaces/default/cronjobs';
    const job = { spec: { template: template('cron', {}, ECI, { restartPolicy: 'Never' }) } };
    const spec = { schedule: ONCE_A_YEAR, jobTemplate: job };
    await plane.api.create(path, { metadata: { name: 'cron' }, spec });
    await makeDue(plane.api, `${path}/cron`);
    expect((await made('app=cron', 1))[0]).toEqual(hit('imc-sample'));
  });

  it('a Knative revision, with its queue-proxy pinned by digest', async () => {
    // The Deployment that Knative's controller makes of the Service in the vendor's Knative page: it has the
    // annotations of the Service's template beside Knative's own, and Knative's sidecar.
    const digest = 'a'.repeat(64);
    const pod = template('helloworld-go', {}, {}, {});
    const annotations = {
      [`${P}eci-image-cache`]: 'true',
      'autoscaling.knative.dev/min-scale': '1',
      'serving.knative.dev/creator': 'kubernetes-admin',
    };
    const labels = { app: 'helloworld-go', 'serving.knative.dev/revision': 'helloworld-go-00001' };
    await plane.api.create('/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'helloworld-go-00001-deployment' },
      spec: {
        selector: { matchLabels: labels },
        template: {
          ...pod,
          metadata: { annotations, labels },
          spec: {
            containers: [
              {
                name: 'user-container',
                image: GO,
                env: [{ name: 'K_REVISION', value: 'helloworld-go-00001' }],
              },
              { name: 'queue-proxy', image: `gcr.io/knative-releases/queue@sha256:${digest}` },
            ],
          },
        },
      },
    });
    const [first] = await made('serving.knative.dev/revision=helloworld-go-00001', 1);
    expect(first).toEqual(partial('imc-go', annotations));
    expect(JSON.parse(String(first?.[DECISION]))).toMatchObject({
      why: expect.stringContaining('holds 1 of 2 images') as string,
    });
  });
});

describe('pods that are made without a workload of Kubernetes', () => {
  it('a bare pod on a virtual node, with the older annotation', async () => {
    const pod = await runPod(plane.api, {
      images: ['nginx:1.7.9'],
      annotations: { [`${P}eci-image-cache`]: 'true' },
      spec: { nodeName: 'virtual-kubelet' },
    });
    expect(metadataOf(pod).annotations).toEqual(hit('imc-old-nginx'));
  });

  it('a bare pod with the older pin', async () => {
    const pin = { [`${P}eci-image-snapshot-id`]: 'imc-old-nginx' };
    const pod = await runPod(plane.api, { images: ['nginx:1.7.9'], annotations: pin });
    expect(metadataOf(pod).annotations).toMatchObject({ ...pin, [PIN]: 'imc-old-nginx' });
  });

  it('an Argo Workflow’s, with the init and wait containers of argoexec', async () => {
    // The pod that Argo's controller makes of the Workflow in the vendor's Argo page, with podMetadata's annotations
    // beside Argo's own.
    const argoexec = 'quay.io/argoproj/argoexec:v3.5.8';
    const annotations = {
      [`${P}eci-image-cache`]: 'true',
      'kubectl.kubernetes.io/default-container': 'main',
      'workflows.argoproj.io/node-id': 'hello-world-abcde',
      'workflows.argoproj.io/node-name': 'hello-world-abcde',
    };
    const main = { name: 'main', image: 'docker/whalesay', command: ['/var/run/argo/argoexec', 'emissary'] };
    const pod = await plane.api.create('/api/v1/namespaces/default/pods', {
      metadata: {
        name: 'hello-world-abcde',
        annotations,
        labels: {
          'workflows.argoproj.io/workflow': 'hello-world-abcde',
          'workflows.argoproj.io/completed': 'false',
        },
      },
      spec: {
        restartPolicy: 'Never',
        initContainers: [{ name: 'init', image: argoexec, command: ['argoexec', 'init'] }],
        containers: [{ name: 'wait', image: argoexec, command: ['argoexec', 'wait'] }, main],
      },
    });
    expect(metadataOf(pod).annotations).toEqual(partial('imc-whalesay', annotations));
    const record = JSON.parse(String(metadataOf(pod).annotations[DECISION])) as Json;
    // argoexec is one image, however many containers run it.
    expect(record['why']).toContain('holds 1 of 2 images');
  });
});

describe('namespaces', () => {
  it('a namespace with the label makes its pods ECI pods, and pods of other namespaces are left alone', async () => {
    const images = [NGINX];
    const inTeam = await runPod(plane.api, { images, namespace: 'eci-team' });
    expect(metadataOf(inTeam).annotations).toEqual(hit('imc-sample'));
    expect(metadataOf(await runPod(plane.api, { images })).annotations).toEqual({});
  });
});

describe('requests of other kinds', () => {
  it('a dry run returns the decided pod, and neither stores nor counts it', async () => {
    const count = async (): Promise<string | undefined> =>
      /decisions_total\{operation="create",outcome="hit",reason="BestMatch"\} (\d+)/.exec(
        await webhook.metrics(),
      )?.[1];
    const before = await count();
    const pod = {
      metadata: { name: 'dry', labels: ECI },
      spec: { containers: [{ name: 'c', image: NGINX }] },
    };
    const shown = await plane.api.create('/api/v1/namespaces/default/pods?dryRun=All', pod);
    expect(metadataOf(shown).annotations).toEqual(hit('imc-sample'));
    expect((await plane.api.send('GET', '/api/v1/namespaces/default/pods/dry')).status).toBe(404);
    expect(await count()).toBe(before);
  });

  it('server-side apply creates with the ID, and applying again changes nothing', async () => {
    const path = '/api/v1/namespaces/default/pods/applied?fieldManager=a-user';
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'applied', labels: ECI },
      spec: { containers: [{ name: 'c', image: NGINX }] },
    };
    const apply = (): Promise<Json> =>
      plane.api.call('PATCH', path, manifest, { 'content-type': 'application/apply-patch+yaml' });
    const first = metadataOf(await apply());
    expect(first.annotations).toEqual(hit('imc-sample'));
    expect(metadataOf(await apply())).toEqual(first);
  });

  it('a pin that is not Ready is denied with 422, and the reason reaches the user', async () => {
    await putImageCache(plane.api, {
      name: 'early',
      images: ['early:1'],
      phase: 'Creating',
      progress: '40%',
    });
    const pod = {
      metadata: { generateName: 'too-early-', annotations: { [PIN]: 'imc-early' } },
      spec: { containers: [{ name: 'c', image: 'early:1' }] },
    };
    await eventually(async () => {
      const { status, body } = await plane.api.send('POST', '/api/v1/namespaces/default/pods', pod);
      expect([status, (JSON.parse(body) as Json)['message']]).toEqual([
        422,
        expect.stringContaining('Creating 40%'),
      ]);
    });
  });

  it('a pod copied from a live one is decided anew', async () => {
    const live = metadataOf(await runPod(plane.api, { images: ['copied:1'], labels: ECI }));
    expect(live.labels).toHaveProperty(['imagecache-webhook.io/create-on-miss']);
    await putImageCache(plane.api, { name: 'copied', images: ['copied:1'] });
    const { annotations, labels } = live as {
      annotations: Record<string, string>;
      labels: Record<string, string>;
    };
    const copy = await eventually(async () => {
      const pod = metadataOf(await runPod(plane.api, { images: ['copied:1'], labels, annotations }));
      expect(pod.annotations).toEqual(hit('imc-copied'));
      return pod;
    });
    expect(copy.labels).toEqual({ ...ECI, 'imagecache-webhook.io/outcome': 'hit' });
    expect(copy.annotations).not.toHaveProperty(['imagecache-webhook.io/create-on-miss']);
  });
});

describe('another webhook that injects a sidecar after ours has decided', () => {
  it('has ours decide again on all the containers (reinvocation)', async () => {
    await putImageCache(plane.api, { name: 'app-alone', images: ['meshed:1'], size: 20 });
    await putImageCache(plane.api, { name: 'with-sidecar', images: ['meshed:1', 'mesh/proxy:9'], size: 30 });
    const pod = { images: ['meshed:1'], labels: ECI };
    await eventually(async () =>
      expect(metadataOf(await runPod(plane.api, pod)).annotations).toEqual(hit('imc-app-alone')),
    );
    await using injector = await startSidecarInjector({ name: 'proxy', image: 'mesh/proxy:9' });
    // Webhooks are called in the order of their names; this one comes last.
    await register(plane.api, 'zz-injector', injector, {
      resources: ['pods'],
      ca: injector.ca,
      path: '/inject',
    });
    try {
      const meshed = await eventually(async () => {
        const stored = await runPod(plane.api, pod);
        expect((stored['spec'] as { containers: unknown[] }).containers).toHaveLength(2);
        return metadataOf(stored).annotations;
      });
      expect(meshed).toEqual(hit('imc-with-sidecar'));
      expect(JSON.parse(String(meshed[DECISION]))).toMatchObject({ request: {} });
    } finally {
      await unregister(plane.api, 'zz-injector');
    }
  });
});

describe('many pods', () => {
  it('500 created at once are all decided, without a request of the webhook to the API server', async () => {
    // Every few seconds the webhook asks whether the Selector kind is installed, even if no pod comes.
    const others = (): number =>
      proxy.seen.filter(({ isWatch, path }) => !isWatch && !path.endsWith('/selectors')).length;
    const before = others();
    const pods = await Promise.all(
      Array.from({ length: 500 }, () => runPod(plane.api, { images: [NGINX, BUSYBOX], labels: ECI })),
    );
    for (const pod of pods) expect(metadataOf(pod).annotations).toEqual(hit('imc-sample'));
    expect(others()).toBe(before);
  });

  it('get the same answers from two replicas, in whatever order the replicas learned of the caches', async () => {
    for (const size of [20, 40]) {
      for (const letter of ['d', 'a', 'c', 'b']) {
        await putImageCache(plane.api, {
          name: `tie-${size}-${letter}`,
          images: ['tie:1', `extra:${letter}`],
          size,
        });
      }
    }
    await using second = await startInCluster(plane, LITERALLY);
    await second.synced;
    for (const images of [
      ['tie:1'],
      ['tie:1', 'extra:c'],
      ['tie:1', 'extra:a', 'extra:b'],
      ['extra:d', NGINX],
    ]) {
      const ask = async (replica: WebhookInCluster): Promise<unknown> => {
        const { uid: _, ...answer } = await replica.review(admissionReview(podObject({ images })));
        return answer;
      };
      expect(await ask(second)).toEqual(await ask(webhook));
    }
  });
});
