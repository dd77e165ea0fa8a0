/**
 * Owns the workloads whose templates will make pods, and the pull secrets of their ServiceAccounts. The controller does
 * without where it cannot have them: nothing but what is made before a miss depends on them.
 */
import { GIVEN_UP_AFTER } from '../../core/provision/plan.ts';
import type { Workloads } from '../../core/provision/prewarm.ts';
import { namesOf } from '../../core/provision/watched-pod.ts';
import { readWatchedWorkload, type WatchedWorkload } from '../../core/provision/watched-workload.ts';
import { isSameMap, type JsonObject } from '../../core/json.ts';
import { WORKLOADS, type WorkloadKind } from '../kinds/workload.ts';
import { confirmedAtOf, type Following } from './following.ts';
import type { Resource, Store } from './reflector.ts';
import { Table, type TableEvents } from './table.ts';

export class WorkloadSource implements Workloads {
  readonly #tables: readonly Table<WatchedWorkload>[];
  readonly #accounts: Table<readonly string[]>;
  readonly following: readonly Following[];

  /**
   * @param follow has a store follow a resource, once all are started
   * @param now milliseconds since 1970
   */
  constructor(
    follow: (resource: Resource, store: Store) => Following,
    events: Pick<TableEvents<unknown>, 'onChange' | 'onUnreadable'>,
    now: () => number,
  ) {
    // What changed before yesterday is not thought of, and need not be kept.
    const isRecent = ({ changedAt }: WatchedWorkload): boolean => now() - changedAt < GIVEN_UP_AFTER;
    const workloadTable = ({ kind, apiVersion }: WorkloadKind): Table<WatchedWorkload> => {
      const read = (object: JsonObject): WatchedWorkload | undefined => {
        // An item of a list does not say what it is.
        const workload = readWatchedWorkload({ ...object, apiVersion, kind });
        return isRecent(workload) ? workload : undefined;
      };
      return new Table(read, { ...events, isSame: isSameTemplate });
    };
    this.#tables = WORKLOADS.map(workloadTable);
    this.#accounts = new Table<readonly string[]>((object) => namesOf(object['imagePullSecrets']), {
      onChange: () => undefined,
      onUnreadable: events.onUnreadable,
    });
    const accounts = { kind: 'ServiceAccount', paths: ['/api/v1/serviceaccounts'], mayBeAbsent: false };
    this.following = [
      ...this.#tables.map((table, i) => follow(resourceOf(WORKLOADS[i]!), table)),
      follow(accounts, this.#accounts),
    ];
  }

  *workloads(): Iterable<WatchedWorkload> {
    // A Knative Service says less than its Deployment, and a pod's secrets are its account's: all, or nothing.
    if (confirmedAtOf(this.following) === undefined) return;
    for (const table of this.#tables) yield* table.values();
  }

  pullSecretsOf(namespace: string, account: string): readonly string[] {
    return this.#accounts.get(`${namespace}/${account}`) ?? [];
  }
}

function resourceOf({ kind, called = kind, apiVersion, plural, mayBeAbsent }: WorkloadKind): Resource {
  return { kind: called, paths: [`/apis/${apiVersion}/${plural}`], mayBeAbsent };
}

/** Its status changes all the time. What comes within the same second is looked at once it has settled. */
function isSameTemplate(before: WatchedWorkload, after: WatchedWorkload): boolean {
  return (
    before.changedAt === after.changedAt &&
    before.subject.uid === after.subject.uid &&
    isSameMap(before.labels, after.labels)
  );
}
