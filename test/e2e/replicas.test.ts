/**
 * How an API server spreads its requests over the replicas of the webhook, which depends on the version of Kubernetes.
 * The webhook does not rely on the spread, and docs/operations.md has the figures that these tests print.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NAMESPACE, Release } from './support/chart.ts';
import { metadataOf, putImageCache } from './support/cluster.ts';
import { startControlPlane, type ControlPlane } from './support/control-plane.ts';
import { canHaveAddresses, Kubelet } from './support/kubelet.ts';
import { untilDecided } from './support/pod-load.ts';
import { kubernetesMinor } from './support/programs.ts';

const REPLICAS = 3;
const PODS = '/api/v1/namespaces/default/pods';

describe.skipIf(!canHaveAddresses())('with three replicas of the webhook', () => {
  let plane: ControlPlane;
  let kubelet: Kubelet;
  beforeAll(async () => {
    plane = await startControlPlane();
    await new Release(plane).upgrade({ replicas: REPLICAS });
    await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
    kubelet = new Kubelet(plane, NAMESPACE);
    await kubelet.start();
    await kubelet.untilReady(REPLICAS);
    await untilDecided(plane.api, 10);
  });
  afterAll(async () => {
    await kubelet?.[Symbol.asyncDispose]();
    await plane?.stop();
  });

  /** How many pods each replica has decided so far. */
  async function decided(): Promise<number[]> {
    return Promise.all(
      kubelet.pods().map(async ({ address }) => {
        const text = await (await fetch(`http://${address}:9090/metrics`)).text();
        const counts = text.matchAll(/^imagecache_webhook_decisions_total\{operation="create".*\} (\d+)$/gm);
        return Array.from(counts, ([, count]) => Number(count)).reduce((sum, count) => sum + count, 0);
      }),
    );
  }

  /** @returns how many of the pods each replica decided; every one of them was decided */
  async function spread(pods: number, clients: number): Promise<number[]> {
    const before = await decided();
    let left = pods;
    const client = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const pod = await plane.api.create(PODS, {
          metadata: { generateName: 'spread-', labels: { 'alibabacloud.com/eci': 'true' } },
          spec: { containers: [{ name: 'c', image: 'a:1' }] },
        });
        expect(metadataOf(pod).annotations['k8s.aliyun.com/eci-imc-id']).toBe('imc-a');
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    const after = await decided();
    const counts = after.map((count, i) => count - before[i]!);
    process.stdout.write(
      `Kubernetes 1.${kubernetesMinor()}, ${clients} at a time: ${counts.join(' + ')} of ${pods} pods\n`,
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(pods);
    return counts;
  }

  it.each([
    [60, 1],
    [300, 20],
  ])('%i pods, created by %i clients, are all decided, whichever replica is asked', async (pods, clients) => {
    await spread(pods, clients);
  });

  it.skipIf(kubernetesMinor() < 37)(
    'pods that are created one after the other reach all replicas (Kubernetes 1.37 or later)',
    async () => {
      for (const count of await spread(60, 1)) expect(count).toBeGreaterThan(0);
    },
  );
});
