/**
 * What ECI did with pods, as the chart's controller and the commands learn it from a real API server. `imc simulate-eci --api`
 * starts the pods and answers as ECI's API.
 */
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { imc, killRunning, start } from '../support/imc.ts';
import type { Json } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';
import { RELEASE } from './support/chart.ts';
import { metadataOf } from './support/cluster.ts';
import { ADMIN_TOKEN, kubeconfig, type ControlPlane } from './support/control-plane.ts';
import { installWithController, type Installed } from './support/installed.ts';
import { canHaveAddresses } from './support/kubelet.ts';

const PODS = '/api/v1/namespaces/default/pods';
const MATCHED = 'k8s.aliyun.com/eci-matched-image-cache';
const IMAGE = 'registry.example/by-eci:1';
const KEY = {
  ALIBABA_CLOUD_ACCESS_KEY_ID: 'stand-in',
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'stand-in',
  HOME: '/nonexistent',
};

describe.skipIf(!canHaveAddresses())('the ground truth', () => {
  let plane: ControlPlane;
  let installed: Installed | undefined;
  let endpoint = '';
  const folder = temporaryFolder();
  const source = ['--source', 'kubernetes', '--kubeconfig', `${folder.path}/kubeconfig`];
  beforeAll(async () => {
    installed = await installWithController({
      controller: { enabled: true },
      // Until it is known how long pods live, ECI makes their caches.
      config: { shutdownDelay: '0s', createOnMiss: { by: 'auto' }, controller: { leaseDuration: '3s' } },
    });
    ({ plane } = installed);
    folder.write('kubeconfig', kubeconfig(plane.url, plane.ca, { token: ADMIN_TOKEN }));
    const eci = start(['simulate-eci', ...source, '--api', '0', '--creation-time', '2s']);
    for await (const line of createInterface({ input: eci.stdout! })) {
      endpoint = /http:\/\/[\d.:]+/.exec(line)?.[0] ?? '';
      if (endpoint !== '') break;
    }
    await eventually(async () => {
      const pod = await plane.api.create(`${PODS}?dryRun=All`, podOf('asks'));
      expect(metadataOf(pod).annotations).toHaveProperty(['imagecache-webhook.io/decision']);
    }, 30_000);
  });
  afterAll(async () => {
    killRunning();
    folder.remove();
    await installed?.[Symbol.asyncDispose]();
  });

  function podOf(name: string): Json {
    return {
      metadata: { name, labels: { 'alibabacloud.com/eci': 'true' } },
      spec: {
        nodeName: 'virtual-kubelet',
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'c', image: IMAGE }],
      },
    };
  }

  /** The annotations of a pod once ECI has placed it. */
  async function placed(name: string): Promise<Record<string, string>> {
    return eventually(async () => {
      const annotations = metadataOf(await plane.api.get(`${PODS}/${name}`)).annotations as Record<
        string,
        string
      >;
      expect(annotations).toHaveProperty(['k8s.aliyun.com/eci-instance-id']);
      return annotations;
    }, 30_000);
  }

  /** What the controllers have counted together: only the one that leads counts. */
  async function counted(metric: string): Promise<number> {
    const pods = installed!.kubelet.pods('controller');
    const texts = await Promise.all(
      pods.map(async ({ address }) => (await fetch(`http://${address}:9090/metrics`)).text()),
    );
    const values = texts.map((text) => text.split('\n').find((line) => line.startsWith(`${metric} `)));
    return values.reduce((sum, line) => sum + Number(line?.split(' ')[1] ?? 0), 0);
  }

  it('of a pod that ECI starts cold, and of one that it warms by itself, is counted by the controller', async () => {
    await plane.api.create(PODS, podOf('cold'));
    expect(await placed('cold')).not.toHaveProperty([MATCHED]);
    let name = '';
    await eventually(async () => {
      name = `warm-${Date.now()}`;
      await plane.api.create(PODS, podOf(name));
      expect(await placed(name)).toHaveProperty([MATCHED]);
    }, 60_000);
    const starts = 'imagecache_controller_pod_starts_total';
    const pulls = 'imagecache_controller_image_pulls_total';
    await eventually(async () => {
      expect(await counted(`${starts}{predicted="miss",result="right"}`)).toBeGreaterThanOrEqual(1);
      expect(await counted(`${starts}{predicted="miss",result="eci"}`)).toBe(1);
      expect(await counted(`${pulls}{start="warm",found="present"}`)).toBe(1);
      expect(await counted(`${pulls}{start="cold",found="pulled"}`)).toBeGreaterThanOrEqual(1);
      const seconds = await counted(`imagecache_controller_cold_pull_seconds_total{image="${IMAGE}"}`);
      expect(seconds).toBeGreaterThanOrEqual(10);
    }, 30_000);
  });

  it('tells imc status and imc explain of a cache that neither the cluster nor the API was asked about', async () => {
    const { code, out, err } = await imc([
      'status',
      ...source,
      '--tls-managed-webhook-configuration',
      RELEASE,
    ]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/Pods that ECI started: \d+\. Prediction right \d+, wrong 0; ECI's own choice 1;/);
    expect(out).toMatch(new RegExp(`^${IMAGE} +1 present +\\d+ present`, 'm'));
    expect(out).toMatch(new RegExp(`^KNOWN FROM PODS ALONE[^]*^imc-\\w+ +1 +${IMAGE}$`, 'm'));
    folder.write('pod.json', JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...podOf('asks') }));
    const explained = await imc(['explain', ...source, '-f', `${folder.path}/pod.json`]);
    expect(explained.out).toMatch(
      new RegExp(`in region imc-\\w+, known from 1 pods alone, holds at least ${IMAGE}`),
    );
    // Nothing of it is in a pod.
    const { annotations } = metadataOf(await plane.api.create(`${PODS}?dryRun=All`, podOf('asks')));
    expect(JSON.stringify(annotations)).not.toContain('imc-');
  });

  it('of the region is in imc status if the API is asked, and imc verify agrees on all pods of the cluster', async () => {
    const region = ['--region-name', 'cn-beijing', '--region-endpoint', endpoint];
    const { out } = await imc(['status', ...source, ...region, '--region-api', 'true'], '', KEY);
    expect(out).toMatch(/^region\/imc-\w+ +imc-\w+ +Ready .* eci +api /m);
    expect(out).toContain('1 of 25 automatic caches');
    expect(out).not.toContain('KNOWN FROM PODS ALONE');
    const verified = await imc(['verify', ...source, ...region], '', KEY);
    expect(verified.out).toMatch(/differ by rule \(.*OnlyInRegion.*\), 0 differ/);
    expect(verified.code).toBe(0);
    const known = await imc(['verify', ...source, ...region, '--region-api', 'true'], '', KEY);
    expect(known.code).toBe(0);
  });

  it('names the pods that no replica of the webhook answered', async () => {
    const before = await counted('imagecache_controller_unanswered_pods_total');
    await plane.api.merge(`/apis/apps/v1/namespaces/${RELEASE}/deployments/${RELEASE}`, {
      spec: { replicas: 0 },
    });
    await eventually(() => expect(installed!.kubelet.pods()).toEqual([]), 60_000);
    await plane.api.create(PODS, podOf('missed'));
    expect(await placed('missed')).not.toHaveProperty(['imagecache-webhook.io/decision']);
    await eventually(
      async () => expect(await counted('imagecache_controller_unanswered_pods_total')).toBe(before + 1),
      30_000,
    );
    const { out } = await imc(['status', ...source, '--tls-managed-webhook-configuration', RELEASE]);
    expect(out).toContain('Pods that no replica of the webhook answered: default/missed.');
  });
});
