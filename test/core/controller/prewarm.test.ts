/** Pre-warming: for which workloads caches are made, when, and with which contents. */
import { describe, expect, it } from 'vitest';
import { podCount } from '../../../src/core/controller/misses.ts';
import { comingPods, SETTLED_AFTER, type PrewarmOptions } from '../../../src/core/controller/prewarm.ts';
import { readWatchedPod } from '../../../src/core/controller/watched-pod.ts';
import { readWatchedWorkload } from '../../../src/core/controller/watched-workload.ts';
import { cacheName } from '../../../src/core/controller/desired-cache.ts';
import { configWith, decideFor, indexOf, NOW, type ConfigChange, type Json } from '../../support/objects.ts';
import { missesOf, RULES } from '../../support/misses.ts';

const BY_CONTROLLER: ConfigChange = { createOnMiss: { by: 'controller' } };
const ALL: PrewarmOptions = { unlabelled: true, except: new Set(['kube-system']) };
const HOUR = 3_600_000;
const ECI = { 'alibabacloud.com/eci': 'true' };

const ago = (milliseconds: number): string => new Date(NOW - milliseconds).toISOString();

/** A pod template with these images, labelled for ECI unless `labels` says otherwise. */
function template(images: readonly string[], spec: Json = {}, labels: Json = ECI): Json {
  return {
    metadata: { labels },
    spec: { containers: images.map((image, i) => ({ name: `c${i}`, image })), ...spec },
  };
}

function workload(spec: Json, metadata: Json = {}, kind = 'Deployment', apiVersion = 'apps/v1'): Json {
  return {
    apiVersion,
    kind,
    metadata: { name: 'web', namespace: 'team', uid: 'u1', creationTimestamp: ago(HOUR), ...metadata },
    spec,
  };
}

const deployment = (images: readonly string[], metadata: Json = {}): Json =>
  workload({ template: template(images) }, metadata);

interface Setting {
  readonly options?: PrewarmOptions;
  readonly namespace?: Json;
  readonly secrets?: Readonly<Record<string, readonly string[]>>;
  readonly change?: ConfigChange;
}

function misses(workloads: readonly Json[], setting: Setting = {}): ReturnType<typeof missesOf> {
  const { options = ALL, namespace = {}, secrets = {}, change = BY_CONTROLLER } = setting;
  const index = indexOf({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'team', labels: namespace },
  });
  const known = {
    workloads: () => workloads.map(readWatchedWorkload),
    pullSecretsOf: (inNamespace: string, account: string) => secrets[`${inNamespace}/${account}`] ?? [],
  };
  return missesOf(comingPods(known, index, options, NOW).pods, index, configWith(change), RULES, NOW);
}

/** The images of each cache that would be made. */
function imagesOf(workloads: readonly Json[], setting: Setting = {}): string[][] {
  return Array.from(misses(workloads, setting).values(), ({ desired }) =>
    desired.images.map(({ text }) => text),
  );
}

describe('before its first pod, a cache is made for the template of', () => {
  it.each([
    ['a Deployment', deployment(['a:1', 'b:1'])],
    ['a StatefulSet', workload({ template: template(['a:1', 'b:1']) }, {}, 'StatefulSet')],
    ['a Job', workload({ suspend: true, template: template(['a:1', 'b:1']) }, {}, 'Job', 'batch/v1')],
    [
      'a CronJob',
      workload({ jobTemplate: { spec: { template: template(['a:1', 'b:1']) } } }, {}, 'CronJob', 'batch/v1'),
    ],
    [
      'a Knative Service',
      workload({ template: template(['a:1', 'b:1']) }, {}, 'Service', 'serving.knative.dev/v1'),
    ],
    [
      'an Argo WorkflowTemplate',
      workload(
        {
          podMetadata: { labels: ECI },
          templates: [
            { name: 'main', container: { image: 'a:1' }, sidecars: [{ name: 's', image: 'b:1' }] },
            { name: 'order', steps: [] },
          ],
        },
        {},
        'WorkflowTemplate',
        'argoproj.io/v1alpha1',
      ),
    ],
    [
      'an Argo CronWorkflow',
      workload(
        {
          workflowSpec: {
            templates: [
              {
                name: 'm',
                metadata: { labels: ECI },
                containerSet: { containers: [{ image: 'a:1' }, { image: 'b:1' }] },
              },
            ],
          },
        },
        {},
        'CronWorkflow',
        'argoproj.io/v1alpha1',
      ),
    ],
  ])('%s', (_title, object) => {
    expect(imagesOf([object])).toEqual([['a:1', 'b:1']]);
  });

  it('each template of a workflow, except those whose image is a parameter', () => {
    const templates = ['a:1', '{{inputs.parameters.image}}', 'b:{{workflow.parameters.tag}}', 'c:1'].map(
      (image, i) => ({ name: `t${i}`, container: { image }, metadata: { labels: ECI } }),
    );
    const object = workload({ templates }, {}, 'WorkflowTemplate', 'argoproj.io/v1alpha1');
    expect(imagesOf([object])).toEqual([['a:1'], ['c:1']]);
  });

  it('each template of a workflow whose image is a parameter with a value that the workflow states', () => {
    const templates = [
      'a:{{workflow.parameters.tag}}',
      '{{ inputs.parameters.image }}',
      '{{inputs.parameters.none}}',
    ].map((image, i) => ({
      name: `t${i}`,
      container: { image },
      inputs: { parameters: [{ name: 'image', value: 'b:1' }, { name: 'none' }] },
      metadata: { labels: ECI },
    }));
    const spec = { templates, arguments: { parameters: [{ name: 'tag', value: '7' }] } };
    const object = workload(spec, {}, 'WorkflowTemplate', 'argoproj.io/v1alpha1');
    expect(imagesOf([object])).toEqual([['a:7'], ['b:1']]);
  });

  it('a workload, and it is the cache that the first pod of the workload would ask for', () => {
    const spec = { imagePullSecrets: [{ name: 's' }] };
    const annotations = {
      'k8s.aliyun.com/eci-extra-ephemeral-storage': '20Gi',
      'k8s.aliyun.com/acr-instance-id': 'cri-1',
    };
    const made = template(['a:1'], spec);
    made['metadata'] = { labels: ECI, annotations };
    const [[name, miss] = []] = [...misses([workload({ template: made })])];

    const pod = { ...made, metadata: { labels: ECI, annotations, namespace: 'team', name: 'web-1' } };
    const decided = decideFor(pod, indexOf(), BY_CONTROLLER);
    const marked = {
      ...pod,
      metadata: { ...pod.metadata, annotations: decided.annotations, labels: decided.labels },
    };
    const [ofPod] = missesOf(
      [readWatchedPod(marked)],
      indexOf(),
      configWith(BY_CONTROLLER),
      RULES,
      NOW,
    ).values();
    expect(ofPod!.desired).toEqual(miss!.desired);
    expect(cacheName(ofPod!.desired)).toBe(name);
  });
});

describe('the pull secrets are', () => {
  const secrets = { 'team/default': ['of-default'], 'team/builder': ['b', 'a'] };
  const secretsFor = (spec: Json): readonly string[] =>
    [...misses([workload({ template: template(['a:1'], spec) })], { secrets }).values()][0]!.desired
      .pullSecrets;

  it("those of the pod's ServiceAccount, as admission adds them", () => {
    expect(secretsFor({})).toEqual(['team:of-default']);
    expect(secretsFor({ serviceAccountName: 'builder' })).toEqual(['team:a', 'team:b']);
    expect(secretsFor({ serviceAccountName: 'without' })).toEqual([]);
  });

  it('only those of the template, if the template has any', () => {
    expect(secretsFor({ serviceAccountName: 'builder', imagePullSecrets: [{ name: 'own' }] })).toEqual([
      'team:own',
    ]);
  });
});

describe('a cache is made only for a recent change of the template:', () => {
  const managed = (fields: Json, time: string): Json => ({
    creationTimestamp: ago(1000 * HOUR),
    managedFields: [
      {
        manager: 'old',
        operation: 'Update',
        time: ago(900 * HOUR),
        fieldsV1: { 'f:spec': { 'f:template': {} } },
      },
      { manager: 'someone', operation: 'Update', time, fieldsV1: fields },
    ],
  });
  const TEMPLATE = { 'f:spec': { 'f:template': { 'f:spec': {} } } };

  it.each<[string, Json, boolean]>([
    ['it was created today', { creationTimestamp: ago(HOUR) }, true],
    ['its template changed today', managed(TEMPLATE, ago(HOUR)), true],
    ['its template has not changed for a day', managed(TEMPLATE, ago(25 * HOUR)), false],
    ['it was scaled today', managed({ 'f:spec': { 'f:replicas': {} } }, ago(HOUR)), false],
    ['its status changed today', managed({ 'f:status': { 'f:replicas': {} } }, ago(HOUR)), false],
    ['it is being deleted', { deletionTimestamp: ago(0) }, false],
    ['nothing says when it changed', { creationTimestamp: null }, false],
    [
      'its managedFields cannot be read',
      { ...managed(TEMPLATE, 'soon'), managedFields: [7, { time: {} }] },
      false,
    ],
  ])('%s: %j', (_title, metadata, counts) => {
    expect(imagesOf([deployment(['a:1'], metadata)])).toHaveLength(Number(counts));
  });

  it('the template must be unchanged for some seconds, and the result says when that will be', () => {
    const index = indexOf();
    const known = {
      workloads: () => [readWatchedWorkload(deployment(['a:1'], { creationTimestamp: ago(3000) }))],
      pullSecretsOf: () => [],
    };
    const early = comingPods(known, index, ALL, NOW);
    expect(early).toEqual({ pods: [], reconcileAgainAtMs: NOW - 3000 + SETTLED_AFTER });
    const due = comingPods(known, index, ALL, early.reconcileAgainAtMs);
    expect([due.pods.length, due.reconcileAgainAtMs]).toEqual([1, Infinity]);
  });
});

describe('labels and settings decide whether a cache is made:', () => {
  const on = { 'imagecache-webhook.io/prewarm': 'enabled' };
  const off = { 'imagecache-webhook.io/prewarm': 'disabled' };
  const unsent = { 'imagecache-webhook.io/webhook': 'disabled' };
  const labelled: PrewarmOptions = { ...ALL, unlabelled: false };

  it.each<[string, Setting, Json, boolean]>([
    ['all namespaces are pre-warmed, and this namespace has no label', {}, {}, true],
    ['all namespaces are pre-warmed, and this namespace opts out', { namespace: off }, {}, false],
    ['the namespace opts out, and the workload opts in', { namespace: off }, on, true],
    ['all namespaces are pre-warmed, and the workload opts out', {}, off, false],
    ['labelled namespaces are pre-warmed, and this namespace has no label', { options: labelled }, {}, false],
    [
      'labelled namespaces are pre-warmed, and this namespace opts in',
      { options: labelled, namespace: on },
      {},
      true,
    ],
    ['the namespace opts in, and the workload opts out', { options: labelled, namespace: on }, off, false],
    [
      'the namespace is in prewarmExcept',
      { options: { ...ALL, except: new Set(['team']) }, namespace: on },
      on,
      false,
    ],
    ['the pods of the namespace are not sent to the webhook', { namespace: { ...on, ...unsent } }, {}, false],
    [
      'the label of the namespace has another value',
      { options: labelled, namespace: { ...on, [Object.keys(on)[0]!]: 'yes' } },
      {},
      false,
    ],
  ])('%s', (_title, setting, labels, counts) => {
    expect(imagesOf([deployment(['a:1'], { labels })], setting)).toHaveLength(Number(counts));
  });

  it('no cache is made if the template opts out of the webhook', () => {
    expect(imagesOf([workload({ template: template(['a:1'], {}, { ...ECI, ...unsent }) })])).toEqual([]);
  });

  it('no cache is made if the pods are not bound for ECI', () => {
    expect(imagesOf([workload({ template: template(['a:1'], {}, {}) })])).toEqual([]);
    expect(imagesOf([workload({ template: template(['a:1'], {}, {}) })], { namespace: ECI })).toEqual([
      ['a:1'],
    ]);
  });
});

describe('of several workloads', () => {
  it('workloads with the same images get one cache, which names the workload that changed last', () => {
    const one = deployment(['a:1', 'b:1'], { name: 'one', creationTimestamp: ago(2 * HOUR) });
    const other = deployment(['b:1', 'a:1'], { name: 'other', creationTimestamp: ago(HOUR) });
    const [miss, ...more] = misses([one, other]).values();
    expect([more, podCount(miss!), miss!.lastBy.name, miss!.missedAtMs]).toEqual([
      [],
      0,
      'other',
      NOW - HOUR,
    ]);
  });

  it('a Knative Service is ignored once Knative has made its Deployment', () => {
    const service = (createdAtMs: string): Json =>
      workload(
        { template: template(['a:1']) },
        { creationTimestamp: createdAtMs },
        'Service',
        'serving.knative.dev/v1',
      );
    const made = deployment([`a@sha256:${'0'.repeat(64)}`, 'queue:1'], {
      name: 'web-00001-deployment',
      labels: { 'serving.knative.dev/service': 'web' },
      creationTimestamp: ago(HOUR),
    });
    const ofDeployment = [`a@sha256:${'0'.repeat(64)}`, 'queue:1'];
    expect(imagesOf([service(ago(HOUR)), made])).toEqual([ofDeployment]);
    // The Service has changed again, and its new Deployment does not exist yet.
    expect(imagesOf([service(ago(HOUR / 2)), made])).toEqual([['a:1'], ofDeployment]);
  });
});
