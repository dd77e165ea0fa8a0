import { describe, expect, it } from 'vitest';
import { warmingOf } from '../../../src/core/truth/warming.ts';
import { workloadOf } from '../../../src/core/workload/owner.ts';
import type { Json } from '../../support/objects.ts';

function pod(labels: Json, owner?: readonly [string, string], annotations: Json = {}): Json {
  const ownerReferences = owner ? [{ kind: owner[0], name: owner[1], controller: true }] : [];
  return { metadata: { name: 'p', namespace: 'shop', labels, annotations, ownerReferences } };
}

describe('a pod belongs to', () => {
  it.each<[string, Json, readonly [string, string] | undefined]>([
    ['Deployment web', { 'pod-template-hash': '5d59' }, ['ReplicaSet', 'web-5d59']],
    ['Rollout web', { 'rollouts-pod-template-hash': '5d59' }, ['ReplicaSet', 'web-5d59']],
    ['ReplicaSet by-hand', {}, ['ReplicaSet', 'by-hand']],
    ['StatefulSet db', {}, ['StatefulSet', 'db']],
    ['CronJob nightly', {}, ['Job', 'nightly-29100000']],
    ['Job import-2026', {}, ['Job', 'import-2026']],
    [
      'Knative Service hello',
      { 'serving.knative.dev/service': 'hello', 'pod-template-hash': '5d59' },
      ['ReplicaSet', 'hello-00001-deployment-5d59'],
    ],
    ['Workflow flow', { 'workflows.argoproj.io/workflow': 'flow' }, ['Workflow', 'flow']],
    ['RayCluster r', { 'ray.io/cluster': 'r' }, ['RayCluster', 'r']],
    ['Pod p', {}, undefined],
  ])('%s', (workload, labels, owner) => {
    expect(workloadOf(pod(labels, owner))).toBe(workload);
  });
});

describe('the warming of workloads', () => {
  const INSTANCE = { 'k8s.aliyun.com/eci-instance-id': 'eci' };
  const MATCHED = { 'k8s.aliyun.com/eci-matched-image-cache': 'imc-1' };
  const decided = (outcome: string): Json => ({
    'imagecache-webhook.io/decision': JSON.stringify({ outcome, why: '' }),
  });
  const web = (annotations: Json): Json => pod({}, ['StatefulSet', 'web'], annotations);

  it('counts what was decided, what ECI did, and what is asked for; pods of normal nodes are left out', () => {
    expect(
      warmingOf([
        web({ ...decided('hit'), ...INSTANCE, ...MATCHED }),
        web({ ...decided('miss'), ...INSTANCE, 'imagecache-webhook.io/create-on-miss': 'abc' }),
        web({ ...decided('miss'), 'imagecache-webhook.io/create-on-miss': 'abc' }),
        web({}),
        pod({}, ['StatefulSet', 'on-nodes']),
        pod({}, ['StatefulSet', 'undecided'], INSTANCE),
      ]),
    ).toEqual([
      {
        namespace: 'shop',
        workload: 'StatefulSet undecided',
        pods: 1,
        decidedWarm: 0,
        warm: 0,
        cold: 1,
        asked: [],
      },
      {
        namespace: 'shop',
        workload: 'StatefulSet web',
        pods: 3,
        decidedWarm: 1,
        warm: 1,
        cold: 1,
        asked: ['abc'],
      },
    ]);
  });
});
