import { describe, expect, it } from 'vitest';
import { podsOf } from '../../../src/core/workload/pods.ts';
import type { Json } from '../../support/objects.ts';

const template = {
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'c', image: 'app:1' }] },
};
const made = { metadata: { labels: { app: 'x' }, name: 'w' }, spec: template.spec };

describe('the pods of a workload', () => {
  it.each<[string, string, Json]>([
    ['v1', 'Pod', template],
    ['v1', 'PodTemplate', { template }],
    ['v1', 'ReplicationController', { spec: { template } }],
    ['apps/v1', 'Deployment', { spec: { template } }],
    ['apps/v1beta2', 'Deployment', { spec: { template } }],
    ['apps/v1', 'StatefulSet', { spec: { template } }],
    ['apps/v1', 'DaemonSet', { spec: { template } }],
    ['apps/v1', 'ReplicaSet', { spec: { template } }],
    ['batch/v1', 'Job', { spec: { template } }],
    ['batch/v1', 'CronJob', { spec: { jobTemplate: { spec: { template } } } }],
    ['serving.knative.dev/v1', 'Service', { spec: { template } }],
    ['argoproj.io/v1alpha1', 'Rollout', { spec: { template } }],
    ['apps.kruise.io/v1alpha1', 'CloneSet', { spec: { template } }],
  ])('%s %s', (apiVersion, kind, rest) => {
    const metadata = { ...(rest['metadata'] as Json), name: 'w', namespace: 'n' };
    const [pod, ...others] = podsOf({ apiVersion, kind, ...rest, metadata });
    expect(others).toEqual([]);
    expect(pod).toMatchObject({
      title: `${kind} w`,
      namespace: 'n',
      pod: kind === 'Pod' ? { spec: template.spec } : made,
    });
  });

  const workflow = (
    spec: Json,
    kind = 'Workflow',
    wrap = (inner: Json): Json => inner,
  ): ReturnType<typeof podsOf> =>
    podsOf({
      apiVersion: 'argoproj.io/v1alpha1',
      kind,
      metadata: { generateName: 'hello-' },
      spec: wrap(spec),
    });

  it('of an Argo Workflow are one for each template that runs containers', () => {
    const pods = workflow({
      podMetadata: { annotations: { a: 'workflow', b: 'workflow' }, labels: { l: 'workflow' } },
      nodeSelector: { type: 'virtual-kubelet' },
      templates: [
        { name: 'steps', steps: [[]] },
        {
          name: 'one',
          container: { image: 'one:1' },
          initContainers: [{ name: 'i', image: 'init:1' }],
          sidecars: [{ name: 's', image: 'side:1' }],
          metadata: { annotations: { a: 'template' } },
        },
        { name: 'two', script: { image: 'two:1', source: 'x' }, nodeSelector: { other: 'x' } },
        {
          name: 'three',
          containerSet: {
            containers: [
              { name: 'm', image: 'three:1' },
              { name: 'n', image: 'four:1' },
            ],
          },
        },
        { name: 'wait', suspend: {} },
      ],
    });
    expect(pods.map(({ title }) => title)).toEqual([
      'Workflow hello-, template one',
      'Workflow hello-, template two',
      'Workflow hello-, template three',
    ]);
    expect(pods[0]?.pod).toEqual({
      metadata: { name: 'one', annotations: { a: 'template', b: 'workflow' }, labels: { l: 'workflow' } },
      spec: {
        nodeSelector: { type: 'virtual-kubelet' },
        initContainers: [{ name: 'i', image: 'init:1' }],
        containers: [
          { name: 'main', image: 'one:1' },
          { name: 's', image: 'side:1' },
        ],
      },
    });
    expect(pods[1]?.pod).toMatchObject({ spec: { nodeSelector: { other: 'x' } } });
    expect(pods[2]?.pod).toMatchObject({ spec: { containers: [{ name: 'm' }, { name: 'n' }] } });
  });

  it('of an Argo Workflow have the defaults of its templates, and stand inline in steps and tasks too', () => {
    const pods = workflow({
      templateDefaults: {
        container: { image: 'default:1' },
        metadata: { annotations: { a: 'default', b: 'default' } },
        nodeSelector: { type: 'virtual-kubelet' },
      },
      templates: [
        { name: 'one', container: { command: ['x'] }, metadata: { annotations: { b: 'own' } } },
        { name: 'dag', dag: { tasks: [{ name: 't', inline: { container: { image: 'inline:1' } } }] } },
        { name: 'steps', steps: [[{ name: 's', inline: { script: { image: 'step:1' } } }]] },
      ],
    });
    expect(pods.map(({ pod, fields }) => [fields.image('/spec/containers/0'), pod])).toEqual([
      [
        'spec.templates[0].container.image',
        expect.objectContaining({
          metadata: { name: 'one', annotations: { a: 'default', b: 'own' }, labels: {} },
          spec: expect.objectContaining({
            nodeSelector: { type: 'virtual-kubelet' },
            containers: [{ name: 'main', image: 'default:1', command: ['x'] }],
          }) as unknown,
        }),
      ],
      ['spec.templates[1].dag.tasks[0].inline.container.image', expect.anything()],
      ['spec.templates[2].steps[0][0].inline.script.image', expect.anything()],
    ]);
  });

  it('of an Argo Workflow are as many as are asked for, and no image grows without end', () => {
    const templates = Array.from({ length: 50 }, (_t, i) => ({ name: `t${i}`, container: { image: 'a:1' } }));
    const manifest = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', metadata: { name: 'w' } };
    expect(podsOf({ ...manifest, spec: { templates } }, 20)).toHaveLength(20);
    const image = '{{workflow.parameters.x}}'.repeat(30);
    const [pod] = podsOf({
      ...manifest,
      spec: {
        arguments: { parameters: [{ name: 'x', value: 'y'.repeat(100_000) }] },
        templates: [{ name: 't', container: { image } }],
      },
    });
    expect(pod?.pod).toMatchObject({ spec: { containers: [{ image }] } });
  });

  it('of an Argo CronWorkflow are those of its workflow', () => {
    expect(
      workflow({ templates: [{ name: 't', container: { image: 'a' } }] }, 'CronWorkflow', (workflowSpec) => ({
        workflowSpec,
      })),
    ).toHaveLength(1);
  });

  const titles = (apiVersion: string, kind: string, spec: Json): string[] =>
    podsOf({ apiVersion, kind, metadata: { name: 'w' }, spec }).map(
      ({ title, fields }) => `${title}: ${fields.image('/spec/containers/0')}`,
    );

  it.each<[string, string, Json, string[]]>([
    [
      'ray.io/v1',
      'RayCluster',
      { headGroupSpec: { template }, workerGroupSpecs: [{ template }, { template }] },
      [
        'RayCluster w, headGroupSpec: spec.headGroupSpec.template.spec.containers[0].image',
        'RayCluster w, workerGroupSpecs[0]: spec.workerGroupSpecs[0].template.spec.containers[0].image',
        'RayCluster w, workerGroupSpecs[1]: spec.workerGroupSpecs[1].template.spec.containers[0].image',
      ],
    ],
    [
      'ray.io/v1',
      'RayJob',
      { rayClusterSpec: { headGroupSpec: { template } }, submitterPodTemplate: template },
      [
        'RayJob w, headGroupSpec: spec.rayClusterSpec.headGroupSpec.template.spec.containers[0].image',
        'RayJob w, submitterPodTemplate: spec.submitterPodTemplate.spec.containers[0].image',
      ],
    ],
    ['ray.io/v1', 'RayJob', { clusterSelector: { name: 'running' } }, []],
    [
      'jobset.x-k8s.io/v1alpha2',
      'JobSet',
      { replicatedJobs: [{ name: 'workers', template: { spec: { template } } }] },
      ['JobSet w, replicatedJobs[0]: spec.replicatedJobs[0].template.spec.template.spec.containers[0].image'],
    ],
    [
      'kubeflow.org/v1',
      'PyTorchJob',
      { pytorchReplicaSpecs: { Master: { template }, Worker: { template } } },
      [
        'PyTorchJob w, Master: spec.pytorchReplicaSpecs.Master.template.spec.containers[0].image',
        'PyTorchJob w, Worker: spec.pytorchReplicaSpecs.Worker.template.spec.containers[0].image',
      ],
    ],
    [
      'sparkoperator.k8s.io/v1beta2',
      'SparkApplication',
      { image: 'spark:4', driver: { annotations: { a: 'b' } }, executor: { image: 'spark-gpu:4' } },
      ['SparkApplication w, driver: spec.image', 'SparkApplication w, executor: spec.executor.image'],
    ],
    ['argoproj.io/v1alpha1', 'Rollout', { workloadRef: { kind: 'Deployment', name: 'web' } }, []],
  ])('of a %s %s are those of all its templates', (apiVersion, kind, spec, expected) => {
    expect(titles(apiVersion, kind, spec)).toEqual(expected);
  });

  it('of a SparkApplication have the labels, selectors and sidecars of their role', () => {
    const [driver, executor] = podsOf({
      apiVersion: 'sparkoperator.k8s.io/v1beta2',
      kind: 'SparkApplication',
      metadata: { name: 'pi' },
      spec: {
        image: 'spark:4',
        imagePullPolicy: 'Always',
        nodeSelector: { type: 'virtual-kubelet' },
        driver: { annotations: { a: 'd' }, sidecars: [{ name: 's', image: 'side:1' }] },
        executor: { labels: { l: 'e' } },
      },
    });
    expect(driver?.pod).toMatchObject({
      metadata: { name: 'driver', annotations: { a: 'd' }, labels: {} },
      spec: {
        nodeSelector: { type: 'virtual-kubelet' },
        containers: [{ image: 'spark:4', imagePullPolicy: 'Always' }, { image: 'side:1' }],
      },
    });
    expect(executor?.pod).toMatchObject({ metadata: { labels: { l: 'e' } } });
    expect(driver?.fields.pullPolicy('/spec/containers/0')).toBe('spec.imagePullPolicy');
    expect(driver?.fields.image('/spec/containers/1')).toBe('spec.driver.sidecars[0].image');
    expect(driver?.fields.annotation('a')).toBe('spec.driver.annotations[a]');
  });

  it('of an Argo Workflow name the fields of their own templates', () => {
    const [pod] = workflow({
      podMetadata: { annotations: { a: 'x' } },
      templates: [
        { name: 'none', steps: [[]] },
        {
          name: 't',
          metadata: { annotations: { b: 'x' } },
          script: { image: 'a' },
          initContainers: [{ name: 'i', image: 'b' }],
          sidecars: [{ name: 's', image: 'c' }],
        },
      ],
    });
    const { fields } = pod!;
    expect(fields.annotation('a')).toBe('spec.podMetadata.annotations[a]');
    expect(fields.annotation('b')).toBe('spec.templates[1].metadata.annotations[b]');
    expect(fields.image('/spec/containers/0')).toBe('spec.templates[1].script.image');
    expect(fields.image('/spec/containers/1')).toBe('spec.templates[1].sidecars[0].image');
    expect(fields.image('/spec/initContainers/0')).toBe('spec.templates[1].initContainers[0].image');
  });

  it('of a kind without pods are none', () => {
    expect(podsOf({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' } })).toEqual([]);
    expect(podsOf({ apiVersion: 'constructor/v1', kind: 'prototype' })).toEqual([]);
  });

  it.each([
    [7, 'document is a number'],
    [{ kind: 'Pod' }, 'apiVersion is missing'],
    [{ apiVersion: 'v1' }, 'kind is missing'],
    [{ apiVersion: 'apps/v1', kind: 'Deployment' }, 'spec is missing'],
    [{ apiVersion: 'apps/v1', kind: 'Deployment', spec: {} }, 'spec.template is missing'],
    [
      { apiVersion: 'batch/v1', kind: 'CronJob', spec: { jobTemplate: {} } },
      'spec.jobTemplate.spec is missing',
    ],
    [
      { apiVersion: 'ray.io/v1', kind: 'RayCluster', spec: { headGroupSpec: { template: 1 } } },
      'spec.headGroupSpec.template is a number',
    ],
    [
      {
        apiVersion: 'jobset.x-k8s.io/v1alpha2',
        kind: 'JobSet',
        spec: { replicatedJobs: [{ template: null }] },
      },
      'spec.replicatedJobs[0].template is missing',
    ],
    [
      { apiVersion: 'jobset.x-k8s.io/v1alpha2', kind: 'JobSet', spec: { replicatedJobs: {} } },
      'spec.replicatedJobs is an object; it must be an array',
    ],
  ])('%j is refused: %s', (manifest, message) => {
    expect(() => podsOf(manifest)).toThrow(message);
  });
});
