/**
 * Pods that wait for their cache, with the chart and a real API server: who makes them wait, who lets them go, and that none
 * waits for ever. The tests stand in for ECI: they give the caches their IDs and phases. They depend on one another.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import { find, NAMESPACE, RELEASE, untilRolledOut, type Release } from './support/chart.ts';
import { IMAGE_CACHES, metadataOf, setStatus, type Rule } from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { installWithController, type Installed } from './support/installed.ts';
import { canHaveAddresses, type Kubelet } from './support/kubelet.ts';
import { audited, granted, refusedOf, unusedBy } from './support/rights.ts';

const PODS = '/api/v1/namespaces/default/pods';
const WAIT = 'imagecache-webhook.io/wait-for-cache';
const PIN = 'k8s.aliyun.com/eci-imc-id';
const AUTO = 'k8s.aliyun.com/eci-auto-imc';
const VALUES = {
  controller: { enabled: true },
  config: {
    shutdownDelay: '0s',
    maxStaleness: '9s',
    waitForCache: 'allow',
    createOnMiss: { after: 5 },
    controller: { quota: 12, packing: false, leaseDuration: '3s', webhookTimeout: '2s' },
  },
};

describe.skipIf(!canHaveAddresses())('a pod that waits for its cache', () => {
  let plane: ControlPlane;
  let kubelet: Kubelet;
  let release: Release;
  let objects: readonly Json[];
  let installed: Installed | undefined;
  beforeAll(async () => {
    installed = await installWithController(VALUES);
    ({ plane, kubelet, release, objects } = installed);
    await untilPodsWait();
  });
  afterAll(() => installed?.[Symbol.asyncDispose]());
  afterEach(async () => {
    await plane.api.call('DELETE', `${PODS}?gracePeriodSeconds=0`);
    await plane.api.call('DELETE', IMAGE_CACHES);
    await eventually(async () => {
      expect(await plane.api.list(PODS)).toEqual([]);
      expect(await plane.api.list(IMAGE_CACHES)).toEqual([]);
    });
  });

  function podOf(name: string, image: string, wait: string | undefined, spec: Json = {}): Json {
    const annotations = wait === undefined ? {} : { [WAIT]: wait };
    return {
      metadata: { name, labels: { 'alibabacloud.com/eci': 'true' }, annotations },
      spec: { containers: [{ name: 'c', image }], ...spec },
    };
  }
  const create = (name: string, image: string, wait = '10m', spec = {}): Promise<Json> =>
    plane.api.create(PODS, podOf(name, image, wait, spec));
  const gatesOf = (pod: Json): string[] =>
    ((pod['spec'] as { schedulingGates?: { name: string }[] }).schedulingGates ?? []).map(({ name }) => name);
  const podNamed = (name: string): Promise<Json> => plane.api.get(`${PODS}/${name}`);

  /** Each replica makes pods wait once it has seen the Lease renewed. */
  async function untilPodsWait(): Promise<void> {
    await eventually(async () => {
      for (let i = 0; i < 8; i++) {
        const asked = await plane.api.create(`${PODS}?dryRun=All`, podOf('asks', 'asks:1', '1m'));
        expect(gatesOf(asked)).toEqual([WAIT]);
      }
    }, 30_000);
  }

  async function cacheOf(image: string): Promise<string> {
    return eventually(async () => {
      const cache = (await plane.api.list(IMAGE_CACHES)).find(
        ({ spec }) => (spec as { images: string[] }).images[0] === image,
      );
      expect(cache).toBeDefined();
      return metadataOf(cache!).name;
    }, 20_000);
  }

  async function untilGone(name: string, within = 20_000): Promise<Json> {
    return eventually(async () => {
      const pod = await podNamed(name);
      expect(gatesOf(pod)).not.toContain(WAIT);
      return pod;
    }, within);
  }

  async function eventsOn(name: string, reason: string): Promise<string[]> {
    const events = await plane.api.list('/api/v1/namespaces/default/events');
    return events
      .filter((each) => (each['involvedObject'] as Json)['name'] === name && each['reason'] === reason)
      .map(({ message }) => String(message));
  }

  it('counts as many misses at once, and goes with the ID once its cache is Ready, in one step', async () => {
    for (let i = 0; i < 3; i++) expect(gatesOf(await create(`burst-${i}`, 'burst:1'))).toEqual([WAIT]);
    const cache = await cacheOf('burst:1');
    expect(metadataOf(await podNamed('burst-0')).labels).toHaveProperty([WAIT], 'true');
    await setStatus(plane.api, cache, { phase: 'Ready', imageCacheId: 'imc-burst', progress: '100%' });
    for (let i = 0; i < 3; i++) {
      const { annotations, labels } = metadataOf(await untilGone(`burst-${i}`));
      expect([annotations[PIN], annotations[WAIT]]).toEqual(['imc-burst', '10m']);
      expect(annotations).not.toHaveProperty(['imagecache-webhook.io/create-on-miss']);
      expect(annotations['imagecache-webhook.io/decision']).toContain('"outcome":"hit"');
      expect(labels).not.toHaveProperty([WAIT]);
    }
    const patches = audited(plane.auditLog).filter(
      ({ verb, objectRef }) =>
        verb === 'patch' && objectRef?.resource === 'pods' && objectRef.name === 'burst-0',
    );
    expect(patches).toHaveLength(1);
    await eventually(async () => {
      expect(await eventsOn('burst-0', 'WaitingForImageCache')).toEqual([
        'this pod waits for an image cache that is made for it, 10 min at most',
      ]);
      expect(await eventsOn('burst-0', 'WaitedForImageCache')).toEqual([
        expect.stringMatching(
          /^this pod waited [\d.]+ (s|min) for an image cache: it can start from one now$/,
        ),
      ]);
    });
  });

  it('keeps the gates of others', async () => {
    await create('other', 'other:1', '10m', { schedulingGates: [{ name: 'example.com/other' }] });
    const cache = await cacheOf('other:1');
    expect(gatesOf(await podNamed('other'))).toEqual(['example.com/other', WAIT]);
    await setStatus(plane.api, cache, { phase: 'Ready', imageCacheId: 'imc-other', progress: '100%' });
    expect(gatesOf(await untilGone('other'))).toEqual(['example.com/other']);
  });

  it('does not exist with a node, without the annotation, for a hit, or for a longer time than ten minutes', async () => {
    expect(gatesOf(await create('bound', 'a:1', '10m', { nodeName: 'virtual-kubelet' }))).toEqual([]);
    expect(gatesOf(await plane.api.create(PODS, podOf('plain', 'a:1', undefined)))).toEqual([]);
    expect(gatesOf(await create('long', 'a:1', '11m'))).toEqual([]);
    expect(gatesOf(await create('wrong', 'a:1', 'soon'))).toEqual([]);
  });

  it('goes at once if its cache fails', async () => {
    await create('fails', 'fails:1');
    await setStatus(plane.api, await cacheOf('fails:1'), { phase: 'Failed' });
    await untilGone('fails');
    await eventually(async () =>
      expect((await eventsOn('fails', 'WaitedForImageCache')).join()).toContain('making it failed'),
    );
  });

  it('goes when its time is up, without a complete cache', async () => {
    await create('short', 'short:1', '3s');
    await cacheOf('short:1');
    expect(gatesOf(await podNamed('short'))).toEqual([WAIT]);
    await untilGone('short');
    await eventually(async () =>
      expect((await eventsOn('short', 'WaitedForImageCache')).join()).toContain('the longest that it waits'),
    );
  });

  it('goes at once if the quota leaves no place for its cache', async () => {
    // Caches that pods are about to start from must stay, so that there is no place for another.
    for (let i = 0; i < 12; i++) {
      await create(`full-${i}`, `full-${i}:1`);
      const cache = await cacheOf(`full-${i}:1`);
      await setStatus(plane.api, cache, { phase: 'Ready', imageCacheId: `imc-${i}`, progress: '100%' });
    }
    for (let i = 0; i < 12; i++) await untilGone(`full-${i}`);
    await create('refused', 'refused:1');
    await untilGone('refused');
    await eventually(async () =>
      expect((await eventsOn('refused', 'WaitedForImageCache')).join()).toContain(
        'a quota or an hourly limit',
      ),
    );
  });

  it('goes ten seconds after its time if no controller is left, and no other pod is made to wait', async () => {
    await create('orphan', 'orphan:1', '5s');
    for (const { process } of kubelet.pods('controller')) process.kill('SIGSTOP');
    const orphan = await untilGone('orphan', 40_000);
    expect(metadataOf(orphan).labels).not.toHaveProperty([WAIT]);
    // A request is in the audit log once it is answered, and by then the watch has told of the change.
    await eventually(() => {
      const last = audited(plane.auditLog).findLast(
        ({ verb, objectRef }) => verb === 'patch' && objectRef?.name === 'orphan',
      );
      expect(last?.user.username).toBe(`system:serviceaccount:${NAMESPACE}:${RELEASE}`);
    });
    expect(gatesOf(await create('later', 'later:1'))).toEqual([]);
  });

  it('used every right that the chart gives for it, and was refused no request', () => {
    const rulesOf = (kind: string, name: string): Rule[] => find(objects, kind, name)['rules'] as Rule[];
    const events = audited(plane.auditLog);
    const ofPods = (rules: Rule[]): string[] =>
      granted(rules.filter(({ resources }) => resources.includes('pods')));
    const unused = (rights: readonly string[], name: string): string[] =>
      unusedBy(events, `system:serviceaccount:${NAMESPACE}:${name}`, rights);
    expect(unused(ofPods(rulesOf('ClusterRole', RELEASE)), RELEASE)).toEqual([]);
    expect(unused(granted(rulesOf('Role', `${RELEASE}-of-controller`), NAMESPACE), RELEASE)).toEqual([]);
    const ofController = ofPods(rulesOf('ClusterRole', `${RELEASE}-controller`));
    expect(unused(ofController, `${RELEASE}-controller`)).toEqual([]);
    expect(refusedOf(events)).toEqual([]);
  });

  it('goes when waiting is switched off, and when the release is removed', async () => {
    for (const { process } of kubelet.pods('controller')) process.kill('SIGCONT');
    await untilPodsWait();
    expect(gatesOf(await create('off', 'off:1'))).toEqual([WAIT]);
    const never = { ...VALUES, config: { ...VALUES.config, waitForCache: 'never' } };
    await expect(release.upgrade(never)).rejects.toThrow('upgrade with config.waitForCache=drain first');
    await release.upgrade({ ...VALUES, config: { ...VALUES.config, waitForCache: 'drain' } });
    await untilGone('off', 60_000);
    expect(metadataOf(await podNamed('off')).annotations[PIN]).toBeUndefined();
    await release.upgrade(never);

    await release.upgrade(VALUES);
    await untilRolledOut(plane.api);
    await untilPodsWait();
    expect(gatesOf(await create('removed', 'removed:1'))).toEqual([WAIT]);
    await release.uninstall();
    const removed = await podNamed('removed');
    expect(gatesOf(removed)).toEqual([]);
    expect(metadataOf(removed).annotations).not.toHaveProperty([AUTO]);
  });
});
