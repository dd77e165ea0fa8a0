/** How warm the pods of each workload start: what was decided for them, what ECI did, and which cache is asked for. */
import { CREATE_ON_MISS } from '../annotations.ts';
import { partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { objectNamespace } from '../kubernetes/object.ts';
import { workloadOf } from '../workload/owner.ts';
import { isCounted, isDecidedWarm, recordOf } from './pod-record.ts';

export interface WorkloadWarming {
  readonly namespace: string;
  /** `Deployment web`. */
  readonly workload: string;
  /** Its pods that a webhook decided, or that ECI runs. */
  readonly pods: number;
  /** Of these, how many were given a cache that holds all their images, or pin one. */
  readonly decidedWarm: number;
  /** How many ECI has started, from a cache and without one; the others it has not placed yet. */
  readonly warm: number;
  readonly cold: number;
  /** The hashes of the image sets that its pods ask a cache for. */
  readonly asked: readonly string[];
}

/** Workloads that are told apart; the pods of further ones are not counted. */
const MOST_WORKLOADS = 10_000;
/** Image sets of one workload. */
const MOST_ASKED = 5;

/** The workloads with the most cold pods first, then by name. */
export function warmingOf(pods: Iterable<JsonObject>): WorkloadWarming[] {
  const byWorkload = new Map<string, Counted>();
  for (const pod of pods) {
    const record = recordOf(pod);
    if (!isCounted(record)) continue;
    const namespace = objectNamespace(pod);
    const workload = workloadOf(pod);
    const key = `${namespace}/${workload}`;
    const counted = byWorkload.get(key) ?? new Counted(namespace, workload);
    if (byWorkload.has(key) || byWorkload.size < MOST_WORKLOADS) byWorkload.set(key, counted);
    counted.pods += 1;
    if (isDecidedWarm(record)) counted.decidedWarm += 1;
    if (record.isPlaced && record.used !== null) counted.warm += 1;
    if (record.isPlaced && record.used === null) counted.cold += 1;
    const marker = readText(partOf(partOf(pod, 'metadata'), 'annotations')[CREATE_ON_MISS]);
    if (marker !== undefined && counted.markers.size < MOST_ASKED) counted.markers.add(marker);
  }
  return Array.from(byWorkload.values(), ({ markers, ...rest }) => ({
    ...rest,
    asked: [...markers],
  })).toSorted(
    (a, b) => b.cold - a.cold || compare(a.namespace, b.namespace) || compare(a.workload, b.workload),
  );
}

class Counted {
  readonly namespace: string;
  readonly workload: string;
  readonly markers = new Set<string>();
  pods = 0;
  decidedWarm = 0;
  warm = 0;
  cold = 0;

  constructor(namespace: string, workload: string) {
    this.namespace = namespace;
    this.workload = workload;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
