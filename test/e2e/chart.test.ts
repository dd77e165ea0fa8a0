/** What the chart renders: with every pair of its switches in a real API server, and compared with its documents. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { evaluate } from '@marcbachmann/cel-js';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SETTINGS } from '../../src/config/settings.ts';
import { loadConfig } from '../../src/config/load.ts';
import { BURST_RESOURCE, REQUEST_KEYS } from '../../src/core/annotations.ts';
import { groupOf, PREWARMED_KINDS, WORKLOAD_KINDS } from '../../src/core/workload/kinds.ts';
import { decideFor, indexOf, namespaceObject, nodeObject, podObject, type Json } from '../support/objects.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/webhook.ts';
import { CHART, find, lintChart, NAMESPACE, Release, RELEASE, renderChart } from './support/chart.ts';
import {
  IMAGE_CACHES,
  installCrd,
  metadataOf,
  openCrd,
  putImageCache,
  readManifest,
} from './support/cluster.ts';
import { startControlPlane, type ControlPlane } from './support/control-plane.ts';
import { pairwise } from '../support/pairwise.ts';

const VALUES = readManifest(join(CHART, 'values.yaml'));
const SCHEMA = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema;

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Each switch has the values that are tried; every value is combined with every value of each other switch. */
const SWITCHES: readonly (readonly Json[])[] = [
  [
    {},
    { certificates: { mode: 'cert-manager' } },
    {
      certificates: {
        mode: 'cert-manager',
        certManager: { issuerRef: { name: 'ours', kind: 'ClusterIssuer' } },
      },
    },
    { certificates: { mode: 'files', files: { secretName: 'ours', caBundle: 'PEM' } } },
  ],
  [{}, { config: { bindTime: true } }],
  [{}, { webhook: { profileSelectors: false } }],
  [{}, { webhook: { advice: { enabled: false } } }],
  [{}, { webhook: { clientCertificate: { secretName: 'client-ca', names: ['kube-apiserver'] } } }],
  [
    {},
    { networkPolicy: { enabled: false } },
    { networkPolicy: { apiServers: ['10.0.0.0/28'], metrics: [] } },
  ],
  [
    {},
    { controller: { enabled: true }, config: { prewarm: true } },
    { controller: { enabled: true }, config: { createOnMiss: { by: 'auto' }, waitForCache: 'drain' } },
  ],
  [
    {},
    {
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true },
    },
  ],
  [{}, { serviceAccount: { create: false, name: 'ours' }, rbac: { create: false } }],
  [{}, { crds: { enabled: false } }],
  [{}, { check: { namespace: 'kube-public' } }],
  [
    {},
    {
      image: { digest: `sha256:${'0'.repeat(64)}` },
      imagePullSecrets: [{ name: 'registry' }],
      podDisruptionBudget: { enabled: false },
      podAnnotations: { a: 'b' },
      podLabels: { c: 'd' },
      nodeSelector: { e: 'f' },
      tolerations: [{ operator: 'Exists' }],
      priorityClass: { create: false },
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] }] },
            ],
          },
        },
      },
    },
  ],
];

function merged(a: Json, b: Json): Json {
  const result = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const former = result[key];
    result[key] = isMap(former) && isMap(value) ? merged(former, value) : value;
  }
  return result;
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The paths of the kinds that the chart creates, and of kinds that may follow from them. */
const OWNED = [
  '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
  '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
  '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  '/apis/rbac.authorization.k8s.io/v1/roles',
  '/apis/rbac.authorization.k8s.io/v1/rolebindings',
  '/apis/apps/v1/deployments',
  '/apis/policy/v1/poddisruptionbudgets',
  '/apis/networking.k8s.io/v1/networkpolicies',
  '/apis/scheduling.k8s.io/v1/priorityclasses',
  '/api/v1/services',
  '/api/v1/serviceaccounts',
  '/api/v1/configmaps',
  '/api/v1/secrets',
];

describe('the chart', () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane();
    for (const kind of ['ServiceMonitor', 'PrometheusRule'])
      await installCrd(plane.api, openCrd('monitoring.coreos.com', 'v1', kind));
    for (const kind of ['Issuer', 'Certificate'])
      await installCrd(plane.api, openCrd('cert-manager.io', 'v1', kind));
  });
  afterAll(() => plane?.stop());

  it('is valid for helm, the API server and the webhook with every pair of its switches', async () => {
    const validate = new Ajv({ strict: false }).compile(SCHEMA);
    const release = new Release(plane);
    const sets = pairwise(SWITCHES.map(({ length }) => length)).map((choices) =>
      choices.map((i, a) => SWITCHES[a]![i]!).reduce(merged),
    );
    // At least the eight pairs of the two switches with the most values, and few enough to try them all.
    expect(sets.length).toBeGreaterThanOrEqual(8);
    expect(sets.length).toBeLessThan(30);
    for (const values of sets) {
      const told = JSON.stringify(values);
      expect(validate(merged(VALUES, values)), JSON.stringify(validate.errors)).toBe(true);
      await lintChart(values);
      const objects = await release.upgrade(values);
      const names = objects.map((each) => {
        const { name, namespace } = each['metadata'] as Json;
        return `${String(each['kind'])} ${String(namespace)}/${String(name)}`;
      });
      expect(new Set(names).size, told).toBe(names.length);
      const { 'config.yaml': text } = find(objects, 'ConfigMap')['data'] as Record<string, string>;
      const folder = temporaryFolder({ 'config.yaml': text });
      expect(() => loadConfig(join(folder.path, 'config.yaml'), new Map(), {}), told).not.toThrow();
      folder.remove();
    }
    const history = await release.history();
    expect(history.at(-1)).toMatchObject({ revision: sets.length, status: 'deployed' });
  }, 180_000);

  it('brings the ImageCache resource unless crds.enabled is false, and checks pods in check.namespace', async () => {
    const kinds = async (values: Json): Promise<unknown[]> =>
      (await renderChart({ values })).map(({ kind }) => kind);
    expect(await kinds({})).toContain('CustomResourceDefinition');
    expect(await kinds({ crds: { enabled: false } })).not.toContain('CustomResourceDefinition');
    const objects = await renderChart({ values: { check: { namespace: 'elsewhere' } } });
    expect(find(objects, 'Role', `${RELEASE}-check`)['metadata']).toMatchObject({ namespace: 'elsewhere' });
    const { spec } = find(objects, 'Pod', `${RELEASE}-check`) as { spec: { containers: Json[] } };
    expect(spec.containers[0]!['args']).toEqual(expect.arrayContaining(['--namespace', 'elsewhere']));
  });

  it('deletes its own objects when it is uninstalled, and keeps the ImageCaches', async () => {
    const release = new Release(plane);
    // Without any value helm would keep those of the last revision.
    const objects = await release.upgrade({ replicas: 2 });
    await putImageCache(plane.api, { name: 'kept', images: ['a:1'] });
    expect(objects.length).toBeGreaterThan(8);
    await release.uninstall();
    for (const path of OWNED)
      expect(
        (await plane.api.list(path)).filter(
          (each) => metadataOf(each).labels['app.kubernetes.io/instance'] === RELEASE,
        ),
        path,
      ).toEqual([]);
    expect((await plane.api.list(IMAGE_CACHES)).map((each) => metadataOf(each).name)).toEqual(['kept']);
  });

  it('runs the webhook not as root, with a read-only file system and without capabilities', async () => {
    const { spec } = find(await renderChart({}), 'Deployment') as { spec: { template: { spec: Json } } };
    const { securityContext, containers } = spec.template.spec as {
      securityContext: Json;
      containers: Json[];
    };
    expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(containers).toHaveLength(1);
    expect(containers[0]!['securityContext']).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('brings pods that a namespace of the Pod Security Standard "restricted" takes, each of them', async () => {
    await plane.api.create('/api/v1/namespaces', {
      metadata: { name: 'restricted', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    });
    await eventually(() => plane.api.get('/api/v1/namespaces/restricted/serviceaccounts/default'));
    const values = {
      controller: { enabled: true },
      config: { waitForCache: 'drain' },
      serviceAccount: { create: false, name: 'default' },
    };
    const objects = await renderChart({ values });
    const templates = objects.flatMap((object): Json[] => {
      if (object['kind'] === 'Pod') return [object];
      const { template } = (object['spec'] ?? {}) as { template?: Json };
      return template ? [template] : [];
    });
    expect(templates).toHaveLength(4);
    await plane.api.create('/apis/scheduling.k8s.io/v1/priorityclasses', find(objects, 'PriorityClass'));
    for (const { spec } of templates)
      await plane.api.create('/api/v1/namespaces/restricted/pods?dryRun=All', {
        metadata: { name: 'taken' },
        spec: { ...(spec as Json), serviceAccountName: 'default' },
      });
    const unsafe = { containers: [{ name: 'c', image: 'a:1' }] };
    const pods = '/api/v1/namespaces/restricted/pods?dryRun=All';
    expect((await plane.api.send('POST', pods, { metadata: { name: 'refused' }, spec: unsafe })).status).toBe(
      403,
    );
    await plane.api.remove(`/apis/scheduling.k8s.io/v1/priorityclasses/${RELEASE}`);
  });

  it('keeps two of three pods of the controller and of the webhook from being evicted at once, and has a class for them', async () => {
    const objects = await renderChart({ values: { controller: { enabled: true } } });
    const budgets = objects.filter(({ kind }) => kind === 'PodDisruptionBudget');
    expect(
      budgets.map(({ spec }) => (spec as { selector: { matchLabels: Json } }).selector.matchLabels),
    ).toEqual([
      expect.objectContaining({ 'app.kubernetes.io/component': 'webhook' }),
      expect.objectContaining({ 'app.kubernetes.io/component': 'controller' }),
    ]);
    const classes = objects.flatMap(({ spec }) => {
      const { template } = (spec ?? {}) as { template?: { spec: Json } };
      return template ? [template.spec['priorityClassName']] : [];
    });
    expect(classes).toEqual([RELEASE, RELEASE]);
  });

  it('lets only its three ports be reached, and the API servers alone reach the webhook if they are known', async () => {
    const ports = (objects: Json[]): unknown =>
      (find(objects, 'NetworkPolicy')['spec'] as { ingress: { ports: Json[]; from?: Json[] }[] }).ingress.map(
        ({ ports: open, from }) => [open[0]!['port'], from],
      );
    expect(ports(await renderChart({}))).toEqual([
      ['https', undefined],
      ['health', undefined],
      ['metrics', [{ namespaceSelector: {} }]],
    ]);
    const values = { networkPolicy: { apiServers: ['10.0.0.0/28'], metrics: [] } };
    const objects = await renderChart({ values });
    expect(ports(objects)).toEqual([
      ['https', [{ ipBlock: { cidr: '10.0.0.0/28' } }]],
      ['health', undefined],
    ]);
    const { 'config.yaml': text } = find(objects, 'ConfigMap')['data'] as Record<string, string>;
    expect((parse(text!) as Json)['server']).toEqual({ apiServers: ['10.0.0.0/28'] });
  });

  it('gives advice on every kind of workload that keeps pod templates, and never stands in its way', async () => {
    const configuration = find(await renderChart({}), 'ValidatingWebhookConfiguration');
    const [webhook] = configuration['webhooks'] as Json[];
    expect(webhook).toMatchObject({ failurePolicy: 'Ignore', timeoutSeconds: 2, sideEffects: 'None' });
    const rules = webhook!['rules'] as { apiGroups: string[]; resources: string[] }[];
    const sent = rules.flatMap(({ apiGroups: [group], resources }) =>
      resources.map((each) => `${group}/${each}`),
    );
    const known = WORKLOAD_KINDS.filter(({ kind }) => kind !== 'Pod' && kind !== 'PodTemplate');
    expect(sent.toSorted()).toEqual(known.map((each) => `${groupOf(each)}/${each.plural}`).toSorted());
  });

  it('lets the controller read every kind that it can pre-warm', async () => {
    const values = { controller: { enabled: true }, config: { prewarm: true } };
    const objects = await renderChart({ values });
    const { rules } = find(objects, 'ClusterRole', `${RELEASE}-controller`) as unknown as {
      rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
    };
    const granted = new Set(
      rules.flatMap(({ apiGroups, resources, verbs }) =>
        verbs.includes('watch')
          ? apiGroups.flatMap((group) => resources.map((each) => `${group}/${each}`))
          : [],
      ),
    );
    const needed = PREWARMED_KINDS.map((each) => `${groupOf(each)}/${each.plural}`);
    expect(needed.filter((each) => !granted.has(each))).toEqual([]);
  });

  it('registers the webhook so that no pod fails, or waits for more than two seconds, because of it', async () => {
    const { webhooks } = find(await renderChart({}), 'MutatingWebhookConfiguration') as unknown as {
      webhooks: Json[];
    };
    expect(webhooks).toHaveLength(1);
    expect(webhooks[0]).toMatchObject({
      failurePolicy: 'Ignore',
      timeoutSeconds: 2,
      reinvocationPolicy: 'IfNeeded',
      sideEffects: 'None',
      rules: [{ operations: ['CREATE'], resources: ['pods'] }],
    });
  });

  it('replaces the pods when the configuration changes, and leaves them when it does not', async () => {
    const checksum = async (values: Json): Promise<unknown> => {
      const { spec } = find(await renderChart({ values }), 'Deployment') as {
        spec: { template: { metadata: { annotations: Json } } };
      };
      return spec.template.metadata.annotations['checksum/config'];
    };
    const before = await checksum({});
    expect(await checksum({ config: { dialect: 'both' } })).not.toBe(before);
    expect(await checksum({ certificates: { lifetime: '1h' } })).not.toBe(before);
    expect(await checksum({ replicas: 3 })).toBe(before);
  });

  it.each([
    [
      { certificates: { mode: 'files', files: { caBundle: 'PEM' } } },
      'certificates.files.secretName is needed',
    ],
    [
      { certificates: { mode: 'files', files: { secretName: 'a' } } },
      'certificates.files.caBundle is needed',
    ],
    [{ serviceAccount: { create: false } }, 'serviceAccount.name is needed'],
    [{ config: { createOnMiss: { by: 'controller' } } }, 'by controller needs controller.enabled'],
    [{ config: { createOnMiss: { by: 'auto' } } }, 'by auto needs controller.enabled'],
    [{ controller: { enabled: true }, config: { createOnMiss: { by: 'eci' } } }, 'contradict each other'],
    [{ config: { prewarm: true } }, 'config.prewarm needs controller.enabled'],
  ])('says what is missing in %j', async (values, fault) => {
    await expect(renderChart({ values })).rejects.toThrow(fault);
  });

  it('is refused for Kubernetes before 1.30, which lacks features that the chart uses', async () => {
    await expect(renderChart({ kubeVersion: '1.29.9' })).rejects.toThrow('kubeVersion: >=1.30.0-0');
    // Managed clusters have a suffix in their version.
    expect(await renderChart({ kubeVersion: 'v1.30.1-aliyun.1' })).not.toEqual([]);
  });

  it('lets the controller read workloads only with prewarm, and not in namespaces without the webhook', async () => {
    const rendered = (config: Json): Promise<Json[]> =>
      renderChart({
        values: { controller: { enabled: true }, config, webhook: { excludedNamespaces: ['a', 'b'] } },
      });
    const resources = (objects: Json[]): string[] =>
      (find(objects, 'ClusterRole', `${RELEASE}-controller`)['rules'] as { resources: string[] }[]).flatMap(
        (rule) => rule.resources,
      );
    const isAhead = (resource: string): boolean =>
      ['deployments', 'cronjobs', 'serviceaccounts'].includes(resource);
    expect(resources(await rendered({})).filter(isAhead)).toEqual([]);
    expect(resources(await rendered({ prewarm: false })).filter(isAhead)).toEqual([]);
    const ahead = await rendered({ prewarm: true, prewarmExcept: ['c', 'b'] });
    expect(resources(ahead).filter(isAhead)).toHaveLength(3);
    const { data } = find(ahead, 'ConfigMap') as { data: Record<string, string> };
    expect((parse(data['config.yaml']!) as Json)['prewarmExcept']).toEqual(['a', 'b', NAMESPACE, 'c']);
  });
});

interface Expression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn';
  readonly values: readonly string[];
}

/** Whether a label selector matches, as in the API server: NotIn also matches labels without the key. */
function selects(expressions: readonly Expression[], labels: Readonly<Record<string, string>>): boolean {
  return expressions.every(({ key, operator, values }) => {
    const isIn = Object.hasOwn(labels, key) && values.includes(labels[key]!);
    return operator === 'In' ? isIn : !isIn;
  });
}

interface PodWebhook {
  readonly namespaceSelector: { readonly matchExpressions: Expression[] };
  readonly matchConditions?: readonly { readonly expression: string }[];
}

describe('with webhook.profileSelectors false, a pod', () => {
  let webhooks: readonly PodWebhook[];
  beforeAll(async () => {
    const objects = await renderChart({ values: { webhook: { profileSelectors: false } } });
    webhooks = find(objects, 'MutatingWebhookConfiguration')['webhooks'] as PodWebhook[];
  });

  const sometimes = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(value, { nil: undefined, freq: 1 });
  const labels = fc.dictionary(
    fc.constantFrom(
      'alibabacloud.com/eci',
      'eci',
      'virtual-node-affinity-injection',
      'type',
      'app',
      'alibabacloud.com/acs',
      'alibabacloud.com/compute-class',
    ),
    fc.constantFrom('true', 'false', 'enabled', 'virtual-kubelet'),
    { maxKeys: 2 },
  );
  const arbitrary = fc.record({
    namespaceLabels: labels,
    labels: sometimes(labels),
    annotations: sometimes(
      fc.dictionary(
        fc.constantFrom(...REQUEST_KEYS, BURST_RESOURCE, 'other'),
        fc.constantFrom('true', '1', 'eci', 'eci_only'),
        { maxKeys: 1 },
      ),
    ),
    nodeSelector: sometimes(
      fc.dictionary(
        fc.constantFrom('type', 'k8s.aliyun.com/vnode', 'disk'),
        fc.constantFrom('virtual-kubelet', 'true', 'ssd'),
        { maxKeys: 2 },
      ),
    ),
    // One requirement a label, because a match condition does not see that two contradict each other.
    terms: sometimes(
      fc.array(
        fc
          .uniqueArray(
            fc.record({
              key: fc.constantFrom('type', 'k8s.aliyun.com/vnode', 'disk'),
              operator: fc.constantFrom('In', 'NotIn', 'Exists'),
              values: sometimes(fc.subarray(['virtual-kubelet', 'true', 'ssd'])),
            }),
            { maxLength: 2, selector: ({ key }) => key },
          )
          .map((matchExpressions) => ({ matchExpressions })),
        { minLength: 1, maxLength: 2 },
      ),
    ),
    nodeName: sometimes(fc.constantFrom('virtual-kubelet-1', 'virtual', 'worker')),
  });
  const node = nodeObject('virtual', { type: 'virtual-kubelet' });

  it('is sent once if the webhook would decide on it, and not at all if nothing marks it for ECI', () => {
    const counts = { ours: 0, sent: 0, all: 0 };
    fc.assert(
      fc.property(
        arbitrary,
        ({ namespaceLabels, labels: podLabels, annotations, nodeSelector, terms, nodeName }) => {
          const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
          const affinity = terms && { nodeAffinity: required };
          const pod = podObject({ spec: { nodeSelector, nodeName, affinity } });
          const metadata = { name: 'pod', namespace: 'default', labels: podLabels, annotations };
          // The API server leaves absent fields out.
          const object = JSON.parse(JSON.stringify({ ...pod, metadata })) as Json;
          const index = indexOf(namespaceObject('default', namespaceLabels), node);
          const isOurs = !['NotForEci', 'AcsPod'].includes(decideFor(object, index).decision.reason);
          const takers = webhooks.filter(
            ({ namespaceSelector, matchConditions = [] }) =>
              selects(namespaceSelector.matchExpressions, namespaceLabels) &&
              matchConditions.every(({ expression }) => evaluate(expression, { object }) === true),
          );
          counts.all += 1;
          counts.ours += Number(isOurs);
          counts.sent += takers.length;
          expect(takers.length).toBeLessThanOrEqual(1);
          if (isOurs) expect(takers.length).toBe(1);
          // A pod with a nodeName may be sent in vain, because match conditions do not know the labels of nodes.
          else if (nodeName === undefined) expect(takers.length).toBe(0);
        },
      ),
      { numRuns: 3000 },
    );
    expect(counts.ours).toBeGreaterThan(200);
    expect(counts.all - counts.sent).toBeGreaterThan(500);
  });
});

describe("the chart's documents", () => {
  const leaves = (values: Json, schema: Schema, prefix = ''): string[] =>
    Object.entries(values).flatMap(([key, value]) => {
      const inner = schema.properties?.[key];
      const path = `${prefix}${key}`;
      const isGroup = isMap(value) && inner?.properties !== undefined && Object.keys(value).length > 0;
      return isGroup ? leaves(value, inner, `${path}.`) : [path];
    });

  it('name every value of the chart, and no others', () => {
    const readme = readFileSync(join(CHART, 'README.md'), 'utf8');
    const named = Array.from(readme.matchAll(/^\| `([\w.]+)` \|/gm), ([, key]) => key!);
    expect(named.toSorted()).toEqual([...leaves(VALUES, SCHEMA), 'global'].toSorted());
  });

  it('name the right defaults', () => {
    const readme = readFileSync(join(CHART, 'README.md'), 'utf8');
    for (const [, key, told] of readme.matchAll(/^\| `([\w.]+)` \| `([^`]*)` \|/gm)) {
      const value = key!.split('.').reduce<unknown>((at, part) => (at as Json)[part], VALUES);
      expect(parse(told!), key).toEqual(value);
    }
  });

  it.each([
    [{ replica: 3 }, 'replica'],
    [{ config: { dialects: 'both' } }, 'dialects'],
    [{ config: { tls: { cert: 'a' } } }, 'tls'],
    [{ config: { source: 'files:.' } }, 'source'],
    [{ config: { dialect: 'old' } }, 'dialect'],
    [{ certificates: { mode: 'none' } }, 'mode'],
    [{ webhook: { timeoutSeconds: 0 } }, 'timeoutSeconds'],
  ])('refuse %j', (values, at) => {
    const validate = new Ajv({ strict: false }).compile(SCHEMA);
    expect(validate(merged(VALUES, values as unknown as Json))).toBe(false);
    expect(JSON.stringify(validate.errors)).toContain(at);
  });

  it('allow in `config` every setting of the webhook, except those that the chart itself sets', () => {
    const flat = (schema: Schema, prefix = ''): [string, Schema][] =>
      Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
        inner.properties ? flat(inner, `${prefix}${key}.`) : [[`${prefix}${key}`, inner]],
      );
    const allowed = new Map(flat(SCHEMA.properties!['config']!));
    const ofTheChart = /^(?:source|kube|host|port|metricsPort|healthPort|tls|controller\.lease$)/;
    const settings = SETTINGS.filter(({ path }) => !ofTheChart.test(path));
    expect([...allowed.keys()].toSorted()).toEqual(settings.map(({ path }) => path).toSorted());
    for (const { path, type } of settings) {
      const choices = /^one of (.*)$/.exec(type.allowed)?.[1]?.split(', ');
      expect(allowed.get(path)?.enum, path).toEqual(choices);
    }
  });
});
