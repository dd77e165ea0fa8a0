/** The Lease of the controller, as the webhook follows it: whether a controller is there that lets waiting pods go. */
import type { Clock } from '../../clock.ts';
import { partOf, readText } from '../../core/kubernetes/json.ts';
import { resourceVersionOf } from '../../core/kubernetes/object.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import { onlyNamed, type Resource, type Store } from './list-all.ts';

/** Seconds; a Lease that claims to be valid for longer is believed for so long. */
const LONGEST_VALID = 60;

/** @param name `namespace/name` */
export function leaseResource(name: string): Resource {
  const [namespace = '', itsName = ''] = name.split('/');
  return {
    kind: 'Lease of the controller',
    ...onlyNamed(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, itsName),
  };
}

export function leaseStore({ controllerLease }: ClusterIndex, clock: Clock): Store {
  const keys = new Set<string>();
  return {
    apply: (key, object) => {
      keys.add(key);
      const spec = partOf(object, 'spec');
      const seconds = Math.min(Number(spec['leaseDurationSeconds']) || 0, LONGEST_VALID);
      const holder = readText(spec['holderIdentity']) ?? '';
      controllerLease.note(resourceVersionOf(object), holder, seconds * 1000, clock.now());
    },
    delete: (key) => {
      keys.delete(key);
      controllerLease.forget();
    },
    keys: () => keys,
    size: () => keys.size,
  };
}
