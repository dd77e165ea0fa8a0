/**
 * What a current API server does to a pod besides calling the webhook: it evaluates match conditions, calls other
 * webhooks and policies and then ours again, enforces AlwaysPullImages and PodSecurity, and accepts fields that older
 * versions did not know.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import { find, renderChart } from './support/chart.ts';
import {
  createNamespace,
  metadataOf,
  putImageCache,
  register,
  runPod,
  startCluster,
  startInCluster,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { startRecorder, type OtherWebhook } from './support/other-webhooks.ts';
import { kubernetesMinor } from './support/programs.ts';

const P = 'k8s.aliyun.com/';
const PIN = `${P}eci-imc-id`;
const DECISION = 'imagecache-webhook.io/decision';
const ECI = { 'alibabacloud.com/eci': 'true' };
const PODS = '/api/v1/namespaces/default/pods';
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
const POLICIES = '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies';
const BINDINGS = '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings';

/** Required node affinity on one label. */
function affinityFor(key: string, operator: string, ...values: string[]): Json {
  const requirement = { key, operator, ...(values.length > 0 && { values }) };
  const nodeSelectorTerms = [{ matchExpressions: [requirement] }];
  return {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  };
}

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startCluster({ admissionPlugins: ['AlwaysPullImages'] });
  await createNamespace(plane.api, 'for-eci', ECI);
});
afterAll(() => plane?.stop());

describe("the chart's match conditions, evaluated by the API server", () => {
  const FAILS = 'evaluation-fails';
  let recorder: OtherWebhook & { readonly sent: string[] };

  beforeAll(async () => {
    recorder = await startRecorder();
    const objects = await renderChart({ values: { webhook: { profileSelectors: false } } });
    const { webhooks, ...configuration } = find(objects, 'MutatingWebhookConfiguration');
    const caBundle = Buffer.from(recorder.ca).toString('base64');
    await plane.api.create(CONFIGURATIONS, {
      ...configuration,
      webhooks: (webhooks as Json[]).map((webhook) => ({
        ...webhook,
        clientConfig: { url: `${recorder.address}/note`, caBundle },
        // A condition whose evaluation fails for pods that have the label and lack the annotation.
        matchConditions: [
          ...((webhook['matchConditions'] ?? []) as Json[]),
          {
            name: 'fails',
            expression: `!has(object.metadata.labels) || !('${FAILS}' in object.metadata.labels) || object.metadata.annotations['absent'] == ''`,
          },
        ],
      })),
    });
    await eventually(async () => {
      await create('first', { labels: ECI });
      expect(recorder.sent).toContain('first');
    });
  });
  afterAll(async () => {
    await plane.api.call('DELETE', CONFIGURATIONS);
    await recorder?.[Symbol.asyncDispose]();
  });

  function create(
    name: string,
    { labels = {}, annotations = {}, spec = {}, namespace = 'default' }: Case,
  ): Promise<Json> {
    return plane.api.create(`/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
      metadata: { name, labels, annotations },
      spec: { containers: [{ name: 'c', image: 'a:1' }], ...spec },
    });
  }

  interface Case {
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
    readonly spec?: Json;
    readonly namespace?: string;
  }

  it.each<[string, Case, boolean]>([
    ['nothing', {}, false],
    ['another label and annotation', { labels: { app: 'a' }, annotations: { a: 'b' } }, false],
    ['the label of ECI', { labels: ECI }, true],
    ['the older label of ECI', { labels: { eci: 'true' } }, true],
    ['the label of ECI, which says no', { labels: { 'alibabacloud.com/eci': 'false' } }, false],
    ['the label of ACS', { labels: { 'alibabacloud.com/acs': 'true' } }, false],
    ['a selector for virtual nodes', { spec: { nodeSelector: { type: 'virtual-kubelet' } } }, true],
    [
      'the other selector for virtual nodes',
      { spec: { nodeSelector: { 'k8s.aliyun.com/vnode': 'true' } } },
      true,
    ],
    ['another selector', { spec: { nodeSelector: { type: 'worker' } } }, false],
    ['required affinity for virtual nodes', { spec: affinityFor('type', 'In', 'virtual-kubelet') }, true],
    ['required affinity for VNodes', { spec: affinityFor('k8s.aliyun.com/vnode', 'In', 'true') }, true],
    [
      'required affinity for virtual nodes among others',
      { spec: affinityFor('type', 'In', 'a', 'virtual-kubelet') },
      true,
    ],
    [
      'required affinity against virtual nodes',
      { spec: affinityFor('type', 'NotIn', 'virtual-kubelet') },
      false,
    ],
    ['affinity that a label exists', { spec: affinityFor('type', 'Exists') }, false],
    ['burst-resource eci_only', { annotations: { 'alibabacloud.com/burst-resource': 'eci_only' } }, true],
    ['burst-resource eci', { annotations: { 'alibabacloud.com/burst-resource': 'eci' } }, true],
    ['burst-resource acs', { annotations: { 'alibabacloud.com/burst-resource': 'acs' } }, false],
    ['labels of ACS and of ECI', { labels: { ...ECI, 'alibabacloud.com/acs': 'true' } }, false],
    [
      'a compute class of ACS and a pin',
      { labels: { 'alibabacloud.com/compute-class': 'gpu' }, annotations: { [PIN]: 'imc-a' } },
      false,
    ],
    [
      'a label of ACS in a namespace for ECI',
      { namespace: 'for-eci', labels: { 'alibabacloud.com/acs': 'true' } },
      false,
    ],
    ['a node', { spec: { nodeName: 'some-node' } }, true],
    ['a toleration, which proves nothing', { spec: { tolerations: [{ operator: 'Exists' }] } }, false],
    ['a pin', { annotations: { [PIN]: 'imc-a' } }, true],
    ['an older pin', { annotations: { [`${P}eci-image-snapshot-id`]: 'imc-a' } }, true],
    ['eci-auto-imc', { annotations: { [`${P}eci-auto-imc`]: 'false' } }, true],
    ['eci-image-cache', { annotations: { [`${P}eci-image-cache`]: 'true' } }, true],
    ['imc-perfect-match', { annotations: { [`${P}imc-perfect-match`]: 'true' } }, true],
    ['imc-match-count-request', { annotations: { [`${P}imc-match-count-request`]: '2' } }, true],
    ['a namespace for ECI', { namespace: 'for-eci' }, true],
    ['the label that opts out', { labels: { ...ECI, 'imagecache-webhook.io/webhook': 'disabled' } }, false],
    ['a condition that cannot be evaluated', { labels: { ...ECI, [FAILS]: 'yes' } }, false],
  ])(
    'a pod with %s is created, and is sent to the webhook if the table says so',
    async (title, pod, isSent) => {
      const name = title.toLowerCase().replaceAll(/[^a-z]+/g, '-');
      await create(name, pod);
      expect(recorder.sent.filter((each) => each === name)).toEqual(isSent ? [name] : []);
    },
  );
});

describe('a pod that passes the webhook and other admission plugins', () => {
  let webhook: WebhookInCluster;
  beforeAll(async () => {
    for (const [name, images, size] of [
      ['alone', ['app:1'], 20],
      ['with-sidecar', ['app:1', 'mesh/proxy:9'], 30],
    ] as const)
      await putImageCache(plane.api, { name, images: [...images], size });
    webhook = await startInCluster(plane);
    await webhook.synced;
    await register(plane.api, 'imagecache-webhook', webhook);
  });
  afterAll(() => webhook?.stop());

  const given = (pod: Json): unknown => metadataOf(pod).annotations[PIN];
  const whyOf = (pod: Json): string =>
    (JSON.parse(String(metadataOf(pod).annotations[DECISION])) as { why: string }).why;

  it('with a native sidecar is given the cache that holds the sidecar too', async () => {
    const pod = await runPod(plane.api, {
      images: ['app:1'],
      labels: ECI,
      spec: { initContainers: [{ name: 'proxy', image: 'mesh/proxy:9', restartPolicy: 'Always' }] },
    });
    expect(given(pod)).toBe('imc-with-sidecar');
    expect(whyOf(pod)).toContain('holds 2 of 2 images');
    expect((pod['spec'] as { initContainers: Json[] }).initContainers[0]).toMatchObject({
      restartPolicy: 'Always',
    });
  });

  it('with a scheduling gate is decided, and keeps its gate', async () => {
    const schedulingGates = [{ name: 'example.com/wait' }];
    const pod = await runPod(plane.api, { images: ['app:1'], labels: ECI, spec: { schedulingGates } });
    expect(given(pod)).toBe('imc-alone');
    expect(pod['spec']).toMatchObject({ schedulingGates });
  });

  it.skipIf(kubernetesMinor() < 35)(
    'with an image volume is decided by its containers, and keeps its volume (Kubernetes 1.35 or later)',
    async () => {
      const volumes = [{ name: 'model', image: { reference: 'models/large:1', pullPolicy: 'IfNotPresent' } }];
      const pod = await runPod(plane.api, { images: ['app:1'], labels: ECI, spec: { volumes } });
      expect(given(pod)).toBe('imc-alone');
      expect(whyOf(pod)).toContain('holds 1 of 1 images');
      const stored = (pod['spec'] as { volumes: { name: string; image?: Json }[] }).volumes;
      expect(stored.find(({ name }) => name === 'model')?.image).toMatchObject({
        reference: 'models/large:1',
      });
    },
  );

  it('gets its cache, and a warning, if AlwaysPullImages makes its containers pull always', async () => {
    const { status, headers, body } = await plane.api.send('POST', `${PODS}?dryRun=All`, {
      metadata: { name: 'pulls', labels: ECI },
      spec: { containers: [{ name: 'c', image: 'app:1', imagePullPolicy: 'IfNotPresent' }] },
    });
    expect(status, body).toBe(201);
    const pod = JSON.parse(body) as Json;
    expect((pod['spec'] as { containers: Json[] }).containers[0]).toMatchObject({
      imagePullPolicy: 'Always',
    });
    expect(given(pod)).toBe('imc-alone');
    expect(String(headers['warning'])).toContain('imagePullPolicy');
  });

  it.each([0, 1, 100, 180, 260, 400, 1000])(
    'with annotations of %i bytes less than the API server allows is created as without the webhook',
    async (bytesLess) => {
      // The API server allows 262,144 bytes, names and values together.
      const filler = 'x'.repeat(262_144 - bytesLess - 'example.com/filler'.length);
      const created = await plane.api.create(`${PODS}?dryRun=All`, {
        metadata: { name: 'largest', labels: ECI, annotations: { 'example.com/filler': filler } },
        spec: { containers: [{ name: 'c', image: 'app:1' }] },
      });
      const { annotations } = metadataOf(created);
      expect(annotations['example.com/filler']).toBe(filler);
      // An ID without the record would later read as a pin of the user.
      expect(PIN in annotations).toBe(DECISION in annotations);
      if (bytesLess === 0) expect(annotations).not.toHaveProperty([PIN]);
      if (bytesLess === 1000) expect(annotations[PIN]).toBe('imc-alone');
    },
  );

  it('that asks for a degree, encryption, an architecture or extra storage is decided as its user wrote', async () => {
    const decide = async (pod: { annotations?: Record<string, string>; spec?: Json }): Promise<unknown[]> => {
      const created = await plane.api.create(`${PODS}?dryRun=All`, {
        metadata: { name: 'asks', labels: ECI, annotations: pod.annotations ?? {} },
        spec: { containers: [{ name: 'c', image: 'app:1' }], ...pod.spec },
      });
      const { outcome } = JSON.parse(String(metadataOf(created).annotations[DECISION])) as Json;
      return [outcome, given(created) ?? null, metadataOf(created).annotations[`${P}eci-auto-imc`] ?? null];
    };
    const encrypted = { [`${P}eci-ephemeral-storage-options`]: '{"encrypted":"true"}' };
    expect(await decide({ annotations: encrypted })).toEqual(['skipped', null, 'false']);
    expect(await decide({ spec: { nodeSelector: { 'kubernetes.io/arch': 'arm64' } } })).toEqual([
      'miss',
      null,
      null,
    ]);
    expect(await decide({ spec: affinityFor('type', 'In', 'virtual-kubelet') })).toEqual([
      'hit',
      'imc-alone',
      null,
    ]);
    const resources = { requests: { 'ephemeral-storage': '1Gi' } };
    expect(await decide({ spec: { containers: [{ name: 'c', image: 'app:1', resources }] } })).toEqual([
      'hit',
      'imc-alone',
      null,
    ]);
  });

  it('in a namespace of the Pod Security Standard "restricted" is treated as without the webhook', async () => {
    await plane.api.create('/api/v1/namespaces', {
      metadata: { name: 'restricted', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    });
    const create = (spec: Json, container: Json): Promise<{ status: number; body: string }> =>
      plane.api.send('POST', '/api/v1/namespaces/restricted/pods?dryRun=All', {
        metadata: { name: 'strict', labels: ECI },
        spec: { ...spec, containers: [{ name: 'c', image: 'app:1', ...container }] },
      });
    const strict = await eventually(async () => {
      const answer = await create(
        { securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } },
        { securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } },
      );
      expect(answer.status, answer.body).toBe(201);
      return JSON.parse(answer.body) as Json;
    });
    expect(given(strict)).toBe('imc-alone');
    const { status, body } = await create({}, { securityContext: { privileged: true } });
    expect([status, body]).toEqual([403, expect.stringContaining('violates PodSecurity')]);
  });

  describe.skipIf(kubernetesMinor() < 36)(
    'beside a MutatingAdmissionPolicy that adds a sidecar (Kubernetes 1.36 or later)',
    () => {
      const SIDECAR = 'mesh/proxy:9';

      /** @param condition a CEL expression that is true of pods that get the sidecar */
      async function install(condition: string): Promise<void> {
        // AlwaysPullImages refuses another pull policy in containers that are added after it has mutated the pod.
        const container = `Object.spec.containers{name: "proxy", image: "${SIDECAR}", imagePullPolicy: "Always"}`;
        const patch = `[JSONPatch{op: "add", path: "/spec/containers/-", value: ${container}}]`;
        const isThere = 'object.spec.containers.exists(each, each.name == "proxy")';
        await plane.api.create(POLICIES, {
          metadata: { name: 'sidecar' },
          spec: {
            matchConstraints: {
              resourceRules: [
                { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
              ],
            },
            reinvocationPolicy: 'IfNeeded',
            failurePolicy: 'Fail',
            mutations: [
              {
                patchType: 'JSONPatch',
                // Not as a match condition, because a policy that does not match at first is not called again.
                jsonPatch: { expression: `(${condition}) && !${isThere} ? ${patch} : []` },
              },
            ],
          },
        });
        await plane.api.create(BINDINGS, { metadata: { name: 'sidecar' }, spec: { policyName: 'sidecar' } });
      }

      it.each([
        [
          'before the webhook: the webhook sees the sidecar at once',
          "has(object.metadata.labels) && 'meshed' in object.metadata.labels",
        ],
        [
          'after the webhook, because of its annotation: the webhook is called again',
          `has(object.metadata.annotations) && '${DECISION}' in object.metadata.annotations`,
        ],
      ])('%s, and decides on all the containers', async (_title, condition) => {
        await install(condition);
        try {
          await eventually(async () => {
            const pod = await runPod(plane.api, { images: ['app:1'], labels: { ...ECI, meshed: 'yes' } });
            const { containers } = pod['spec'] as { containers: { image: string }[] };
            expect(containers.map(({ image }) => image)).toEqual(['app:1', SIDECAR]);
            expect(given(pod)).toBe('imc-with-sidecar');
            expect(whyOf(pod)).toContain('holds 2 of 2 images');
          });
        } finally {
          await plane.api.call('DELETE', BINDINGS);
          await plane.api.call('DELETE', POLICIES);
          // The API server learns of the deletions a little late.
          await eventually(async () => {
            const pod = await runPod(plane.api, { images: ['app:1'], labels: { ...ECI, meshed: 'yes' } });
            expect((pod['spec'] as { containers: unknown[] }).containers).toHaveLength(1);
          });
        }
      });
    },
  );
});
