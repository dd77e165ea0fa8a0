/** Faults between the controller and the API server: every missed cache is still made, and made only once. */
import type { ServerResponse } from 'node:http';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { imageSetHash } from '../../src/core/image/image-set.ts';
import { parseImageReference } from '../../src/core/image/reference.ts';
import { startController, type Controller } from '../../src/runtime/controller.ts';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';
import { IMAGE_CACHE_CRD, IMAGE_CACHES, installCrd, metadataOf } from './support/cluster.ts';
import { kubeconfig, startControlPlane, type ControlPlane } from './support/control-plane.ts';
import { startProxy, type Fault, type FaultyProxy } from './support/proxy.ts';

const PODS = '/api/v1/namespaces/default/pods';
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/imagecache-controller';

describe('between the controller and the API server', () => {
  let plane: ControlPlane;
  let proxies: FaultyProxy[];
  let controllers: Controller[];
  const folders: { remove: () => void }[] = [];

  async function startThrough(proxy: FaultyProxy): Promise<Controller> {
    const folder = temporaryFolder({
      kubeconfig: kubeconfig(proxy.url, proxy.ca, { token: 'admin-of-the-tests' }),
    });
    folders.push(folder);
    const settings = {
      source: 'kubernetes',
      kubeconfig: `${folder.path}/kubeconfig`,
      host: '127.0.0.1',
      metricsPort: '0',
      maxStaleness: '4s',
      'createOnMiss.by': 'controller',
      'controller.leaseDuration': '2s',
    };
    const config = loadConfig(undefined, new Map(Object.entries(settings)), {});
    const controller = await startController(config, pino({ level: 'silent' }));
    await controller.synced;
    return controller;
  }

  beforeAll(async () => {
    plane = await startControlPlane();
    await installCrd(plane.api, IMAGE_CACHE_CRD);
    await plane.api.create('/api/v1/nodes', { metadata: { name: 'virtual-kubelet' } });
  });
  afterAll(async () => {
    await plane?.stop();
  });
  beforeEach(async () => {
    proxies = [await startProxy(plane), await startProxy(plane)];
    controllers = await Promise.all(proxies.map(startThrough));
    await leader();
  });
  afterEach(async () => {
    for (const proxy of proxies) proxy.fault = undefined;
    await Promise.all(controllers.map((controller) => controller.stop()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    for (const folder of folders.splice(0)) folder.remove();
    await plane.api.call('DELETE', `${PODS}?gracePeriodSeconds=0`);
    await plane.api.call('DELETE', IMAGE_CACHES);
  });

  /** Waits until one of the two controllers leads. @returns its index */
  async function leader(): Promise<number> {
    return eventually(async () => {
      const texts = await Promise.all(
        controllers.map(async ({ address }) => (await fetch(`${address}/metrics`)).text()),
      );
      const leading = texts.map((text) => /^imagecache_controller_leading 1$/m.test(text));
      expect(leading.filter(Boolean)).toHaveLength(1);
      return leading.indexOf(true);
    });
  }

  /** A pod as the webhook leaves it after a miss. */
  const miss = (name: string, image: string): Promise<Json> =>
    plane.api.create(PODS, {
      metadata: {
        name,
        labels: { 'alibabacloud.com/eci': 'true' },
        annotations: { 'imagecache-webhook.io/create-on-miss': imageSetHash([parseImageReference(image)!]) },
      },
      spec: { containers: [{ name: 'c', image }], nodeName: 'virtual-kubelet' },
    });

  async function untilMade(images: readonly string[], within = 30_000): Promise<void> {
    await eventually(async () => {
      const made = (await plane.api.list(IMAGE_CACHES)).map(
        ({ spec }) => (spec as { images: string[] }).images[0],
      );
      expect(new Set(made)).toEqual(new Set(images));
      expect(made).toHaveLength(images.length);
    }, within);
  }

  const answered =
    (status: number, headers = {}): Fault =>
    (_request, answer: ServerResponse) => {
      answer.writeHead(status, headers).end();
      return 'handled';
    };
  const FAULTS: Record<string, Fault> = {
    'is answered with 429 and Retry-After': answered(429, { 'retry-after': '1' }),
    'is answered with 500': answered(500),
    'is cut': (_request, answer) => {
      answer.destroy();
      return 'handled';
    },
    'is never answered': () => 'handled',
  };

  it.each(Object.keys(FAULTS))(
    'if every creation %s, the caches are made once the fault is over',
    async (kind) => {
      const proxy = proxies[await leader()]!;
      let met = 0;
      proxy.fault = (request, answer) => {
        if (request.method !== 'POST' || request.path !== IMAGE_CACHES) return undefined;
        met += 1;
        return FAULTS[kind]!(request, answer);
      };
      await miss('p', 'a:1');
      await miss('q', 'b:1');
      // A request that is never answered fails only after ten seconds.
      const tries = kind === 'is never answered' ? 1 : 2;
      await eventually(() => expect(met).toBeGreaterThanOrEqual(tries), 20_000);
      expect(await plane.api.list(IMAGE_CACHES)).toEqual([]);
      proxy.fault = undefined;
      await untilMade(['a:1', 'b:1']);
    },
  );

  it('if a creation succeeds and its answer is lost, no cache is made twice', async () => {
    const proxy = proxies[await leader()]!;
    let lost = 0;
    proxy.afterwards = (request, answer) => {
      if (request.method !== 'POST' || request.path !== IMAGE_CACHES || lost > 2) return undefined;
      lost += 1;
      answer.destroy();
      return 'handled';
    };
    await miss('p', 'a:1');
    await miss('q', 'b:1');
    await untilMade(['a:1', 'b:1']);
    expect(lost).toBeGreaterThan(0);
  });

  it('a leader that is cut off loses its Lease, and the other controller continues', async () => {
    const first = await leader();
    proxies[first]!.hang();
    await miss('p', 'a:1');
    await untilMade(['a:1']);
    await eventually(async () => {
      const { spec } = await plane.api.get(LEASE);
      expect((spec as { leaseTransitions: number }).leaseTransitions).toBeGreaterThan(0);
    });
    // The old leader stops by itself when its Lease has expired.
    expect(await leader()).toBe(1 - first);
    proxies[first]!.recover();
    await miss('q', 'b:1');
    await untilMade(['a:1', 'b:1']);
  });

  it('a leader that is stopped releases its Lease, and the other controller takes it at once', async () => {
    const first = await leader();
    const [stopped] = controllers.splice(first, 1);
    await stopped!.stop();
    await leader();
    await miss('p', 'a:1');
    await untilMade(['a:1']);
    expect(metadataOf((await plane.api.list(IMAGE_CACHES))[0]!).name).toMatch(/^auto-/);
  });
});
