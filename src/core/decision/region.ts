/** Which region a pod runs in. */
import type { Pod } from '../pod.ts';
import type { View } from './view.ts';

/** The label of a Node, a node selector or an ImageCache that names its region. */
export const REGION_LABEL = 'topology.kubernetes.io/region';

/**
 * The region of the pod's node, else of its node selector, else of the configuration; undefined if none says so.
 * @param configured empty if the configuration names none
 */
export function regionOf(pod: Pod, view: View, configured: string): string | undefined {
  const ofNode = pod.nodeName === undefined ? undefined : view.nodeLabels(pod.nodeName).get(REGION_LABEL);
  return ofNode ?? pod.nodeSelector.get(REGION_LABEL) ?? (configured === '' ? undefined : configured);
}
