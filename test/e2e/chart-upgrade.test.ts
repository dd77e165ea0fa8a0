/**
 * Upgrades from chart 0.1.0, installed by Helm 3, to the present chart by Helm 4, back, and again, while pods are
 * created all the time. Upgrades also with an ImageCache resource of a vendor, of the chart, and of an earlier chart.
 */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import { runOwned } from '../support/owned-process.ts';
import { temporaryFolder } from '../support/webhook.ts';
import { CHART, NAMESPACE, Release, RELEASE, untilRolledOut, type UpgradeOptions } from './support/chart.ts';
import {
  IMAGE_CACHE_CRD,
  IMAGE_CACHES,
  installCrd,
  metadataOf,
  putImageCache,
  readManifest,
  removeCrd,
} from './support/cluster.ts';
import { startControlPlane, type ControlPlane } from './support/control-plane.ts';
import { canHaveAddresses, Kubelet } from './support/kubelet.ts';
import { createPodsWithoutEnd, untilDecided } from './support/pod-load.ts';
import { findPrograms } from './support/programs.ts';

const FORMER_CHART = 'test/e2e/fixtures/imagecache-webhook-0.1.0.tgz';
const CONFIGURATION = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${RELEASE}`;
const SECRET = `/api/v1/namespaces/${NAMESPACE}/secrets/${RELEASE}-ca`;
const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/imagecaches.eci.alibabacloud.com';
const values = { config: { shutdownDelay: '2s' } };

describe.skipIf(!canHaveAddresses())('a release of the chart 0.1.0 that Helm 3 installed', () => {
  let plane: ControlPlane;
  let kubelet: Kubelet;
  let release: Release;
  let installed: Json[];

  async function trust(): Promise<Json> {
    const [{ webhooks }, { data }] = [await plane.api.get(CONFIGURATION), await plane.api.get(SECRET)];
    const bundles = (webhooks as { clientConfig: { caBundle?: string } }[]).map(
      ({ clientConfig }) => clientConfig.caBundle,
    );
    return { bundles, data };
  }

  beforeAll(async () => {
    plane = await startControlPlane();
    release = new Release(plane);
    installed = await release.upgrade(values, { chart: FORMER_CHART, program: 'helm3' });
    await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
    kubelet = new Kubelet(plane, NAMESPACE);
    await kubelet.start();
    await untilRolledOut(plane.api);
    await kubelet.untilReady(2);
    await untilDecided(plane.api);
  });
  afterAll(async () => {
    await kubelet?.[Symbol.asyncDispose]();
    await plane?.stop();
  });

  const upgrade = (more: Json, options?: UpgradeOptions) => async (): Promise<void> => {
    await release.upgrade({ ...values, ...more }, options);
  };

  it.each<[string, () => Promise<void>]>([
    ['upgraded to the present chart by Helm 4', upgrade({})],
    ['rolled back by Helm 4', () => release.rollback()],
    ['upgraded by Helm 4 with server-side apply', upgrade({}, { flags: ['--server-side=true'] })],
    ['upgraded with a label on its pods', upgrade({ podLabels: { team: 'platform' } })],
    ['rolled back from there', () => release.rollback()],
  ])('keeps its CA and its caBundle, and decides every pod, while it is %s', async (_title, change) => {
    const before = await trust();
    expect(before).toMatchObject({ bundles: [expect.stringMatching(/./)] });
    await using load = createPodsWithoutEnd(plane.api);
    await load.untilMore(20);
    await change();
    await untilRolledOut(plane.api);
    await kubelet.untilReady(2);
    await load.untilMore(100);
    await load.stop();
    expect(load.counts).toMatchObject({ untouched: 0, refused: [] });
    expect(await trust()).toEqual(before);
  });

  it('has a revision for each of these changes, and the last is of the present chart', async () => {
    expect(installed.length).toBeGreaterThan(8);
    const charts = (await release.history()).map(({ chart }) => chart);
    expect(charts).toHaveLength(6);
    expect(charts.slice(0, 3)).toEqual([charts[0], expect.not.stringMatching(charts[0]!), charts[0]]);
    expect(charts[0]).toBe('imagecache-webhook-0.1.0');
    expect(charts.at(-1)).toBe(charts[1]);
  });
});

describe('the ImageCache resource', () => {
  let plane: ControlPlane;
  let release: Release;
  beforeAll(async () => {
    plane = await startControlPlane();
    release = new Release(plane);
  });
  afterAll(() => plane?.stop());
  afterEach(async () => {
    await release.uninstall();
    await removeCrd(plane.api, IMAGE_CACHE_CRD);
    await eventually(() => expect(plane.api.get(CRD)).rejects.toThrow('404'));
  });

  const columns = async (): Promise<string[]> => {
    const { body } = await plane.api.table(IMAGE_CACHES);
    const { columnDefinitions } = JSON.parse(body) as { columnDefinitions: { name: string }[] };
    return columnDefinitions.map(({ name }) => name);
  };
  /** Takes a column away, as if an earlier chart had not had it. */
  async function makeOlder(): Promise<void> {
    await plane.api.call(
      'PATCH',
      `${CRD}?fieldManager=helm&force=true`,
      { ...IMAGE_CACHE_CRD, spec: withoutColumn(IMAGE_CACHE_CRD, 'CacheId') },
      { 'content-type': 'application/apply-patch+yaml' },
    );
    await eventually(async () => expect(await columns()).not.toContain('CacheId'));
  }
  const caches = async (): Promise<string[]> =>
    (await plane.api.list(IMAGE_CACHES)).map((each) => metadataOf(each).name);

  it('of a vendor is left as it is when the chart is installed, upgraded and removed', async () => {
    await installCrd(plane.api, readManifest('test/e2e/fixtures/vendor-imagecaches-crd.yaml'));
    await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
    const before = metadataOf(await plane.api.get(CRD));
    await release.upgrade(values);
    await release.upgrade({ ...values, replicas: 3 });
    expect(metadataOf(await plane.api.get(CRD))).toEqual(before);
    await release.uninstall();
    expect(metadataOf(await plane.api.get(CRD))).toEqual(before);
    expect(await caches()).toEqual(['a']);
    // Installs the release again, because afterEach uninstalls it.
    await release.upgrade(values);
  });

  it('that the chart brought is upgraded with it, and stays with its objects when the release is removed', async () => {
    await release.upgrade(values);
    await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
    const { uid } = metadataOf(await plane.api.get(CRD));
    await makeOlder();
    await plane.api.merge(CRD, {
      metadata: {
        annotations: {
          'meta.helm.sh/release-name': RELEASE,
          'meta.helm.sh/release-namespace': NAMESPACE,
        },
      },
    });
    await release.upgrade({ ...values, replicas: 3 });
    await eventually(async () => expect(await columns()).toContain('CacheId'));
    expect(metadataOf(await plane.api.get(CRD)).uid).toBe(uid);
    await release.uninstall();
    expect(await caches()).toEqual(['a']);
    await release.upgrade(values);
  });

  it('of chart 0.1.0 is upgraded by the kubectl command in the README, and keeps its objects', async () => {
    await release.upgrade(values, { chart: FORMER_CHART });
    await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
    await makeOlder();
    await release.upgrade(values);
    expect(await columns()).not.toContain('CacheId');
    const { uid } = metadataOf(await plane.api.get(CRD));
    const readme = readFileSync(`${CHART}/README.md`, 'utf8');
    const [, command] = /^\$ (kubectl apply .*resources\/)$/m.exec(readme) ?? [];
    const [, ...args] = command!.split(' ');
    const home = temporaryFolder();
    await runOwned(findPrograms('kubectl').kubectl, args, {
      KUBECONFIG: plane.kubeconfig,
      HOME: home.path,
    });
    home.remove();
    await eventually(async () => expect(await columns()).toContain('CacheId'));
    expect(metadataOf(await plane.api.get(CRD)).uid).toBe(uid);
    expect(await caches()).toEqual(['a']);
  });
});

/** The spec of a CRD without one of its printer columns. */
function withoutColumn(crd: Json, column: string): Json {
  const spec = structuredClone(crd['spec']) as Json & {
    versions: { additionalPrinterColumns: { name: string }[] }[];
  };
  for (const version of spec.versions)
    version.additionalPrinterColumns = version.additionalPrinterColumns.filter(({ name }) => name !== column);
  return spec;
}
