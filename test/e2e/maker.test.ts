/**
 * createOnMiss.by: auto as the chart installs it, with a real API server: the controller learns how long pods live, and
 * publishes it; the webhook's replicas choose by it who makes a cache. The tests stand in for the nodes and for ECI.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIVES_KEY } from '../../src/core/decision/pod-life.ts';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import { find, NAMESPACE, RELEASE } from './support/chart.ts';
import { IMAGE_CACHES, metadataOf, setStatus, type Rule } from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { installWithController, type Installed } from './support/installed.ts';
import { canHaveAddresses, type Kubelet } from './support/kubelet.ts';
import { audited, granted, refusedOf, unusedBy } from './support/rights.ts';

const PODS = '/api/v1/namespaces/default/pods';
const LIVES = `/api/v1/namespaces/${NAMESPACE}/configmaps/${RELEASE}-controller`;
const AUTO = 'k8s.aliyun.com/eci-auto-imc';
const MARKER = 'imagecache-webhook.io/create-on-miss';
/** The controller publishes every half minute. */
const PUBLISHED_WITHIN = 60_000;

describe.skipIf(!canHaveAddresses())('createOnMiss.by: auto', () => {
  let plane: ControlPlane;
  let kubelet: Kubelet;
  let objects: readonly Json[];
  let installed: Installed | undefined;
  beforeAll(async () => {
    installed = await installWithController({
      controller: { enabled: true },
      config: {
        shutdownDelay: '0s',
        maxStaleness: '9s',
        createOnMiss: { by: 'auto' },
        controller: { leaseDuration: '3s', webhookTimeout: '2s' },
      },
    });
    ({ plane, kubelet, objects } = installed);
    await eventually(async () => expect(await askedFor('first:1')).toHaveProperty([MARKER]), 30_000);
  });
  afterAll(() => installed?.[Symbol.asyncDispose]());

  const podOf = (name: string, image: string): Json => ({
    metadata: { name, labels: { 'alibabacloud.com/eci': 'true' } },
    spec: {
      nodeName: 'virtual-kubelet',
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', image }],
    },
  });

  /** The annotations that a pod with this image would get. */
  async function askedFor(image: string): Promise<Json> {
    return metadataOf(await plane.api.create(`${PODS}?dryRun=All`, podOf('asks', image))).annotations;
  }

  /** Lets pods run and end. */
  async function run(image: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const name = `${image.replace(':', '-')}-${i}`;
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await plane.api.create(PODS, podOf(name, image));
      // oxlint-disable-next-line no-await-in-loop
      await plane.api.merge(`${PODS}/${name}/status`, { status: { phase: 'Running' } });
      // oxlint-disable-next-line no-await-in-loop
      await plane.api.merge(`${PODS}/${name}/status`, { status: { phase: 'Succeeded' } });
    }
  }

  const published = async (): Promise<[string, { seconds: number; ended: number }][]> => {
    const { data } = await plane.api.get(LIVES);
    const text = ((data ?? {}) as Record<string, string>)[LIVES_KEY] ?? '{}';
    return Object.entries(JSON.parse(text) as Record<string, { seconds: number; ended: number }>);
  };
  const holder = async (): Promise<unknown> => {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${RELEASE}-controller`;
    return ((await plane.api.get(path))['spec'] as Json)['holderIdentity'];
  };
  const caches = (): Promise<Json[]> => plane.api.list(IMAGE_CACHES);

  it('leaves pods to ECI until it is known how long they live', async () => {
    expect(await published()).toEqual([]);
    const annotations = await askedFor('job:1');
    expect(annotations).not.toHaveProperty([AUTO]);
    expect(annotations[MARKER]).toMatch(/^[0-9a-f]{32}$/);
    expect(annotations['imagecache-webhook.io/decision']).toContain('it is not known yet how long');
    await run('job:1', 2);
    expect(await caches()).toEqual([]);
  });

  it('learns it, publishes it, and then lets the controller make the caches of pods that live shortly', async () => {
    await run('job:2', 3);
    await eventually(async () => {
      const lives = await published();
      expect(lives).toEqual([[expect.stringMatching(/^default\/[0-9a-f]{32}$/), expect.anything()]]);
      expect(lives[0]![1].ended).toBeGreaterThanOrEqual(3);
      expect(lives[0]![1].seconds).toBeLessThan(60);
    }, PUBLISHED_WITHIN);
    // Both replicas of the webhook know it.
    await eventually(async () => {
      for (let i = 0; i < 8; i++) expect((await askedFor('job:3'))[AUTO]).toBe('false');
    });
    await plane.api.create(PODS, podOf('job-3', 'job:3'));
    await eventually(async () => {
      const made = (await caches()).map(({ spec }) => (spec as { images: string[] }).images);
      expect(made).toContainEqual(['job:3']);
    }, 20_000);
  });

  it('keeps what was learned when all replicas of the controller are replaced', async () => {
    const before = await published();
    const leader = await holder();
    for (const { process } of kubelet.pods('controller')) process.kill('SIGKILL');
    // A replica leads only once it has read the cluster.
    await eventually(async () => expect(await holder()).not.toBe(leader), 30_000);
    await run('other:1', 1);
    await eventually(async () => expect(await published()).toHaveLength(2), PUBLISHED_WITHIN);
    expect(await published()).toEqual(expect.arrayContaining(before));
  });

  it('retires the caches of pods that live so long that the caches cost more than they save', async () => {
    const job = (await caches()).find(({ spec }) => (spec as { images: string[] }).images[0] === 'job:3');
    await setStatus(plane.api, metadataOf(job!).name, {
      phase: 'Ready',
      imageCacheId: 'imc-job',
      progress: '100%',
    });
    const [[template, life]] = (await published()).filter(([, { ended }]) => ended >= 3) as [
      [string, { seconds: number; ended: number }],
    ];
    // What the controller would publish after ten ends of pods that lived for an hour.
    const longer = JSON.stringify({ [template]: { ...life, seconds: 3600, ended: 10 } });
    await plane.api.merge(LIVES, { data: { [LIVES_KEY]: longer } });
    await eventually(async () => {
      expect((await caches()).map((each) => metadataOf(each).name)).not.toContain(metadataOf(job!).name);
    }, 40_000);
    await eventually(async () => expect(await askedFor('job:4')).not.toHaveProperty([AUTO]));
  });

  it('uses the rights that the chart gives for it, and is refused no request', () => {
    const rulesOf = (name: string): Rule[] => find(objects, 'Role', name)['rules'] as Rule[];
    const accountOf = (name: string): string => `system:serviceaccount:${NAMESPACE}:${name}`;
    const events = audited(plane.auditLog);
    const ofWebhook = granted(rulesOf(`${RELEASE}-of-controller`), NAMESPACE);
    const ofController = granted(rulesOf(`${RELEASE}-controller-lease`), NAMESPACE);
    expect(unusedBy(events, accountOf(RELEASE), ofWebhook)).toEqual([]);
    expect(unusedBy(events, accountOf(`${RELEASE}-controller`), ofController)).toEqual([]);
    expect(refusedOf(events)).toEqual([]);
  });
});
