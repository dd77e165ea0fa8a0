/** A control plane with the chart installed, the webhook and the controller running, and a virtual node. */
import type { Json } from '../../support/objects.ts';
import { NAMESPACE, Release } from './chart.ts';
import { IMAGE_CACHE_CRD, installCrd, readManifest } from './cluster.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { Kubelet } from './kubelet.ts';

export interface Installed extends AsyncDisposable {
  readonly plane: ControlPlane;
  readonly kubelet: Kubelet;
  readonly release: Release;
  /** What the chart installed. */
  readonly objects: readonly Json[];
}

/** @param values of the chart; the controller must be enabled */
export async function installWithController(values: Json): Promise<Installed> {
  const plane = await startControlPlane();
  const kubelet = new Kubelet(plane, NAMESPACE);
  const dispose = async (): Promise<void> => {
    await kubelet[Symbol.asyncDispose]();
    await plane.stop();
  };
  try {
    await installCrd(plane.api, IMAGE_CACHE_CRD);
    await installCrd(plane.api, readManifest('test/e2e/fixtures/selectors-crd.yaml'));
    await plane.api.create('/api/v1/nodes', {
      metadata: { name: 'virtual-kubelet', labels: { type: 'virtual-kubelet' } },
    });
    await plane.api.untilPodsCanBeCreated('default');
    const release = new Release(plane);
    const objects = await release.upgrade(values);
    await kubelet.start();
    await kubelet.untilReady(2);
    await kubelet.untilReady(2, 'controller');
    return { plane, kubelet, release, objects, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
