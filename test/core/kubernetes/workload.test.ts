import { describe, expect, it } from 'vitest';
import { podsOf } from '../../../src/core/kubernetes/workload.ts';
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

  it('of an Argo CronWorkflow are those of its workflow', () => {
    expect(
      workflow({ templates: [{ name: 't', container: { image: 'a' } }] }, 'CronWorkflow', (workflowSpec) => ({
        workflowSpec,
      })),
    ).toHaveLength(1);
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
  ])('%j is refused: %s', (manifest, message) => {
    expect(() => podsOf(manifest)).toThrow(message);
  });
});
