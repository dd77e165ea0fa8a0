/**
 * The workloads to pre-warm, and the pull secrets of their ServiceAccounts. If the controller may not read them, only
 * pre-warming stops.
 */
import type { Clock } from '../../clock.ts';
import { GIVEN_UP_AFTER } from '../../core/controller/plan.ts';
import type { Workloads } from '../../core/controller/prewarm.ts';
import { namesOf } from '../../core/controller/watched-pod.ts';
import { readWatchedWorkload, type WatchedWorkload } from '../../core/controller/watched-workload.ts';
import { isSameMap, type JsonObject } from '../../core/kubernetes/json.ts';
import {
  collectionPath,
  mayBeAbsent,
  PREWARMED_KINDS,
  type WorkloadKind,
} from '../../core/workload/kinds.ts';
import { confirmedAtOf, type ReflectedKind } from './reflectors.ts';
import type { Resource, Store } from './list-all.ts';
import { ObjectStore, type ObjectStoreEvents } from './object-store.ts';

export class WorkloadSource implements Workloads {
  readonly #stores: readonly ObjectStore<WatchedWorkload>[];
  readonly #accounts: ObjectStore<readonly string[]>;
  readonly kinds: readonly ReflectedKind[];

  /** @param reflect registers a store for a resource; all of them start together later */
  constructor(
    reflect: (resource: Resource, store: Store) => ReflectedKind,
    events: Pick<ObjectStoreEvents<unknown>, 'onChange' | 'onUnreadable'>,
    clock: Clock,
  ) {
    // A template that changed more than a day ago is not pre-warmed, so the store need not keep it.
    const isRecent = ({ changedAtMs }: WatchedWorkload): boolean =>
      clock.now() - changedAtMs < GIVEN_UP_AFTER;
    const workloadStore = ({ kind, apiVersion }: WorkloadKind): ObjectStore<WatchedWorkload> => {
      const read = (object: JsonObject): WatchedWorkload | undefined => {
        // An item of a list does not state its kind.
        const workload = readWatchedWorkload({ ...object, apiVersion, kind });
        return isRecent(workload) ? workload : undefined;
      };
      return new ObjectStore(read, { ...events, isSame: isSameTemplate });
    };
    this.#stores = PREWARMED_KINDS.map(workloadStore);
    this.#accounts = new ObjectStore<readonly string[]>((object) => namesOf(object['imagePullSecrets']), {
      onChange: () => undefined,
      onUnreadable: events.onUnreadable,
    });
    const accounts = { kind: 'ServiceAccount', paths: ['/api/v1/serviceaccounts'], mayBeAbsent: false };
    this.kinds = [
      ...this.#stores.map((store, i) => reflect(resourceOf(PREWARMED_KINDS[i]!), store)),
      reflect(accounts, this.#accounts),
    ];
  }

  *workloads(): Iterable<WatchedWorkload> {
    // Waits for all kinds: without the Deployments, a Knative Service would be pre-warmed in place of its Deployment;
    // without the ServiceAccounts, the pull secrets would be missing.
    if (confirmedAtOf(this.kinds) === undefined) return;
    for (const store of this.#stores) yield* store.values();
  }

  pullSecretsOf(namespace: string, account: string): readonly string[] {
    return this.#accounts.get(`${namespace}/${account}`) ?? [];
  }
}

function resourceOf(workload: WorkloadKind): Resource {
  const { kind, called = kind } = workload;
  return { kind: called, paths: [collectionPath(workload)], mayBeAbsent: mayBeAbsent(workload) };
}

/**
 * Ignores changes of the status, which come all the time. Two changes of the template within one second are reported
 * once, because the times in managedFields are whole seconds.
 */
function isSameTemplate(before: WatchedWorkload, after: WatchedWorkload): boolean {
  return (
    before.changedAtMs === after.changedAtMs &&
    before.subject.uid === after.subject.uid &&
    isSameMap(before.labels, after.labels)
  );
}
