/** The examples end to end: over TLS, in the review that kube-apiserver sends, with the patch applied. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPods } from '../../src/runtime/offline.ts';
import { admissionReview, asSubmitted } from '../support/admission.ts';
import { podObject, type Json } from '../support/objects.ts';
import { applied, operationsOf } from '../support/patch.ts';
import { runWebhook, type RunningWebhook } from '../support/webhook.ts';

const PODS = 'test/examples/pods';
const P = 'k8s.aliyun.com/';

interface Expected {
  /** From the audit annotations; undefined if the pod is not bound for ECI and asks for no image cache. */
  readonly outcome: string | undefined;
  readonly cacheId?: string;
  /** The pod's `k8s.aliyun.com/` annotations after the patch, without that prefix. */
  readonly annotations: Record<string, string>;
  readonly warnings?: readonly string[];
  /** Whether the pod gets the marker; by default if the outcome is a miss. */
  readonly marked?: boolean;
  /** What differs with the literal settings, with which partial matches are used and only a miss gets the marker. */
  readonly literally?: Partial<Expected>;
}

const DOCUMENTED = 'imc-2ze5tm5gehgtiiga0001';

const EXPECTED: Record<string, Expected> = {
  '01-deployment-auto-perfect-match': {
    outcome: 'hit',
    cacheId: 'imc-2zeditzeoemfhqor0001',
    annotations: {
      'eci-auto-imc': 'true',
      'imc-perfect-match': 'true',
      'eci-imc-id': 'imc-2zeditzeoemfhqor0001',
    },
  },
  '02-deployment-pinned': {
    outcome: 'pinned',
    cacheId: DOCUMENTED,
    annotations: { 'eci-imc-id': DOCUMENTED },
  },
  '03-knative-service-pinned': {
    outcome: 'pinned',
    cacheId: DOCUMENTED,
    annotations: { 'eci-image-snapshot-id': DOCUMENTED, 'eci-imc-id': DOCUMENTED },
  },
  '04-knative-service-auto': {
    outcome: 'hit',
    cacheId: DOCUMENTED,
    annotations: { 'eci-image-cache': 'true', 'eci-auto-imc': 'true', 'eci-imc-id': DOCUMENTED },
  },
  '05-workflow-acr': {
    outcome: undefined,
    annotations: { 'acr-instance-id': 'cn-hangzhou:cri-f34lmbk2rxqx41u8' },
  },
  '06-workflow-auto': {
    outcome: 'hit',
    cacheId: 'imc-f8zf0001',
    annotations: { 'eci-image-cache': 'true', 'eci-auto-imc': 'true', 'eci-imc-id': 'imc-f8zf0001' },
    warnings: ['imagePullPolicy Always'],
  },
  '07-workflow-pinned': {
    outcome: 'pinned',
    cacheId: 'imc-f8zf0001',
    annotations: { 'eci-image-snapshot-id': 'imc-f8zf0001', 'eci-imc-id': 'imc-f8zf0001' },
    warnings: ['imagePullPolicy Always'],
  },
  '08-legacy-deployment-auto': {
    outcome: 'hit',
    cacheId: DOCUMENTED,
    annotations: { 'eci-image-cache': 'true', 'eci-auto-imc': 'true', 'eci-imc-id': DOCUMENTED },
  },
  '09-legacy-pod-auto': {
    outcome: 'hit',
    cacheId: DOCUMENTED,
    annotations: { 'eci-image-cache': 'true', 'eci-auto-imc': 'true', 'eci-imc-id': DOCUMENTED },
  },
  '10-legacy-deployment-pinned': {
    outcome: 'pinned',
    cacheId: DOCUMENTED,
    annotations: { 'eci-image-snapshot-id': DOCUMENTED, 'eci-imc-id': DOCUMENTED },
  },
  '11-legacy-pod-pinned': {
    outcome: 'pinned',
    cacheId: DOCUMENTED,
    annotations: { 'eci-image-snapshot-id': DOCUMENTED, 'eci-imc-id': DOCUMENTED },
  },
  '12-eci-profile': {
    outcome: 'hit',
    cacheId: 'imc-postgres-tuesday',
    annotations: {
      'eci-auto-imc': 'true',
      'imc-perfect-match': 'true',
      'eci-imc-id': 'imc-postgres-tuesday',
    },
  },
  '13-partial-hit': {
    outcome: 'partial',
    annotations: {},
    marked: true,
    literally: {
      cacheId: 'imc-2zeditzeoemfhqor0001',
      annotations: { 'eci-imc-id': 'imc-2zeditzeoemfhqor0001' },
      marked: false,
    },
  },
  '14-tie-on-size': {
    outcome: 'hit',
    cacheId: 'imc-redis-small',
    annotations: { 'eci-imc-id': 'imc-redis-small' },
  },
  '15-tie-on-age': {
    outcome: 'hit',
    cacheId: 'imc-postgres-tuesday',
    annotations: { 'eci-imc-id': 'imc-postgres-tuesday' },
  },
  '16-miss': { outcome: 'miss', annotations: {} },
  '17-miss-still-creating': { outcome: 'miss', annotations: {} },
  '18-pin-not-ready': {
    outcome: 'denied',
    cacheId: 'imc-flink-next',
    annotations: { 'eci-imc-id': 'imc-flink-next' },
  },
  '19-pin-unknown': {
    outcome: 'pinned',
    cacheId: 'imc-made-in-the-console',
    annotations: { 'eci-imc-id': 'imc-made-in-the-console' },
    warnings: ['has no ImageCache in this cluster'],
  },
  '20-match-count': {
    outcome: 'partial',
    marked: true,
    literally: { marked: false },
    cacheId: 'imc-2zeditzeoemfhqor0001',
    annotations: { 'imc-match-count-request': '2', 'eci-imc-id': 'imc-2zeditzeoemfhqor0001' },
  },
  '21-too-large': { outcome: 'miss', annotations: {} },
  '22-selector-adds-storage': {
    outcome: 'hit',
    cacheId: 'imc-training',
    annotations: { 'eci-extra-ephemeral-storage': '50Gi', 'eci-imc-id': 'imc-training' },
  },
  '23-malformed-annotation': {
    outcome: 'hit',
    cacheId: 'imc-redis-small',
    annotations: { 'eci-auto-imc': 'yes please', 'eci-imc-id': 'imc-redis-small' },
    warnings: ['"yes please" is ignored'],
  },
  '24-off': { outcome: 'skipped', annotations: { 'eci-auto-imc': 'false' } },
  '25-arm64': {
    outcome: 'hit',
    cacheId: 'imc-spark-arm64',
    annotations: { 'eci-imc-id': 'imc-spark-arm64' },
  },
  '26-spark-affinity': {
    outcome: 'hit',
    cacheId: 'imc-spark',
    annotations: { 'eci-imc-id': 'imc-spark' },
  },
  '27-several-architectures': { outcome: 'skipped', annotations: {} },
  '28-encrypted': {
    outcome: 'skipped',
    annotations: {
      'eci-ephemeral-storage-options': '{"encrypted":"true"}',
      'eci-auto-imc': 'false',
    },
  },
  '29-storage-by-requests': {
    outcome: 'hit',
    cacheId: 'imc-training',
    annotations: { 'eci-imc-id': 'imc-training' },
  },
  '30-acs': {
    outcome: 'skipped',
    annotations: { 'eci-auto-imc': 'true' },
    warnings: ['the pod runs on ACS'],
  },
  '31-degree-without-sign': {
    outcome: 'hit',
    cacheId: 'imc-spark',
    annotations: { 'imc-match-count-request': '1', 'eci-imc-id': 'imc-spark' },
  },
  '32-image-volume': {
    outcome: 'hit',
    cacheId: 'imc-spark',
    annotations: { 'eci-imc-id': 'imc-spark' },
  },
  '33-profile-overrides-nothing': {
    outcome: 'skipped',
    annotations: { 'eci-image-cache': 'false', 'eci-auto-imc': 'false', 'imc-perfect-match': 'true' },
  },
  '34-off-under-the-older-name': {
    outcome: 'skipped',
    annotations: { 'eci-image-cache': 'false', 'eci-auto-imc': 'false' },
  },
  '35-more-than-20-images': {
    outcome: 'partial',
    annotations: {},
    marked: true,
    warnings: ['the pod has 21 distinct images'],
    literally: {
      cacheId: 'imc-redis-small',
      annotations: { 'eci-imc-id': 'imc-redis-small' },
      marked: false,
    },
  },
  '36-pin-of-another-architecture': {
    outcome: 'pinned',
    cacheId: 'imc-spark-arm64',
    annotations: { 'eci-imc-id': 'imc-spark-arm64' },
    warnings: ['is for arm64, the pod runs on amd64'],
  },
};

let webhook: RunningWebhook;
/** A webhook with the settings that follow the vendor's documents literally. */
let literal: RunningWebhook;
beforeAll(async () => {
  webhook = await runWebhook('test/examples/cluster');
  literal = await runWebhook('test/examples/cluster', {
    partialHits: 'use',
    'createOnMiss.when': 'no-match',
  });
  await Promise.all([webhook.synced, literal.synced]);
});
afterAll(async () => {
  await Promise.all([webhook.stop(), literal.stop()]);
});

interface PatchedPod extends Json {
  readonly metadata: {
    readonly annotations?: Record<string, string>;
    readonly labels?: Record<string, string>;
  };
}

/** A pod that gets a hit. */
const REDIS = podObject({ images: ['redis:7.2'] });

it('the table has every example', () => {
  expect(readdirSync(PODS).map((file) => file.replace('.yaml', ''))).toEqual(Object.keys(EXPECTED));
});

describe.each(Object.entries(EXPECTED))('%s', (name, byDefault) => {
  it.each([
    ['admission.k8s.io/v1', 'default'],
    ['admission.k8s.io/v1beta1', 'default'],
    ['admission.k8s.io/v1', 'literal'],
  ])('is decided as expected, in %s, with the %s settings', async (apiVersion, settings) => {
    const expected = settings === 'literal' ? { ...byDefault, ...byDefault.literally } : byDefault;
    const { pods, problems } = readPods(name, readFileSync(`${PODS}/${name}.yaml`, 'utf8'));
    const [made, ...others] = pods;
    expect([...others, ...problems]).toEqual([]);
    const namespace = made!.namespace ?? 'default';
    const pod = asSubmitted(made!.pod as Json, namespace);
    const asked = settings === 'literal' ? literal : webhook;
    const response = await asked.review(admissionReview(pod, { apiVersion, namespace }));

    expect(response).toMatchObject({
      apiVersion,
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      allowed: expected.outcome !== 'denied',
    });
    expect(response.auditAnnotations?.['outcome']).toBe(expected.outcome);
    expect(response.auditAnnotations?.['image-cache']).toBe(expected.cacheId);
    expect(response.warnings ?? []).toEqual(
      (expected.warnings ?? []).map((text) => expect.stringContaining(text)),
    );

    const patched = applied(pod, operationsOf(response)) as PatchedPod;
    const { metadata } = patched;
    const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => key.startsWith(P));
    expect(Object.fromEntries(annotations)).toEqual(
      Object.fromEntries(Object.entries(expected.annotations).map(([key, value]) => [P + key, value])),
    );
    const marker = 'imagecache-webhook.io/create-on-miss';
    expect(metadata.labels?.[marker] !== undefined).toBe(expected.marked ?? expected.outcome === 'miss');
    expect(metadata.annotations?.[marker]).toBe(metadata.labels?.[marker]);
    // The patch changes nothing but metadata.
    expect({ ...patched, metadata: null }).toEqual({ ...pod, metadata: null });
  });
});

it("a denied pod gets a 422 with ECI's own reason, the phase and the progress", async () => {
  const pod = {
    metadata: { annotations: { [`${P}eci-imc-id`]: 'imc-flink-next' } },
    spec: { containers: [{ name: 'c', image: 'flink:1.20.0' }] },
  };
  const response = await webhook.review(admissionReview(pod));
  expect(response.status).toEqual({
    status: 'Failure',
    code: 422,
    reason: 'ImageCacheNotComplete',
    message:
      'the pod pins ImageCache flink-next (imc-flink-next), which is Creating 40%, not Ready: wait until it is, or remove k8s.aliyun.com/eci-imc-id',
  });
  expect(response).not.toHaveProperty('patch');
});

it('a dry run is answered like any other request, and is not counted', async () => {
  const counted = async (): Promise<string> => {
    const text = await (await fetch(`${webhook.metricsAddress}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith('imagecache_webhook_decisions_total'))
      .join('\n');
  };
  const real = await webhook.review(admissionReview(REDIS));
  const before = await counted();
  const dry = await webhook.review(admissionReview(REDIS, { dryRun: true }));
  expect(dry).toEqual(real);
  expect(await counted()).toBe(before);
  await webhook.review(admissionReview(REDIS));
  expect(await counted()).not.toBe(before);
});

it.each([
  ['an update', { operation: 'UPDATE' }],
  ['a deletion', { operation: 'DELETE' }],
  ['a subresource', { subResource: 'binding' }],
  [
    'another kind',
    {
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
      kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    },
  ],
  ['pods of another group', { resource: { group: 'metrics.k8s.io', version: 'v1', resource: 'pods' } }],
])('%s is allowed, without a patch', async (_title, change) => {
  const { apiVersion: _, ...response } = await webhook.review(admissionReview(REDIS, change));
  expect(response).toEqual({ uid: '705ab4f5-6393-11e8-b7cc-42010a800002', allowed: true });
});

it('each decision is one line in the log, at debug, with its explanation', async () => {
  await webhook.review(admissionReview(REDIS, { uid: 'logged-once' }));
  const lines = webhook.logged.filter(({ uid }) => uid === 'logged-once');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: 20,
    msg: 'pod decided',
    explanation: { outcome: 'hit', cacheId: 'imc-redis-small', considered: 2 },
  });
});
