/** Which workload made an object, as far as the object itself tells: its owners, its labels, and its controller's name. */
import { objectsIn, partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { objectName, readGroupKind } from '../kubernetes/object.ts';
import { workloadKind, WORKLOAD_KINDS } from './kinds.ts';

/** The label that the controller of a Deployment, or of a Rollout, puts on its pods; it ends the name of the ReplicaSet. */
const TEMPLATE_HASHES = [
  { label: 'pod-template-hash', kind: 'Deployment' },
  { label: 'rollouts-pod-template-hash', kind: 'Rollout' },
] as const;

const LABELS = WORKLOAD_KINDS.flatMap(({ kind, called = kind, pods }) =>
  typeof pods === 'object' && 'label' in pods ? [{ label: pods.label, kind: called }] : [],
);

/** A CronJob names its Jobs by itself and the minute for which they are. */
const CRON_JOB = /^(.+)-\d{8,}$/;

/** `Deployment web`, `Knative Service hello`, `Pod alone`. */
export function workloadOf(pod: JsonObject): string {
  const metadata = partOf(pod, 'metadata');
  const labels = partOf(metadata, 'labels');
  for (const { label, kind } of LABELS) {
    const name = readText(labels[label]);
    if (name !== undefined) return `${kind} ${name}`;
  }
  const owner = objectsIn(metadata['ownerReferences']).find((each) => each['controller'] === true);
  const kind = readText(owner?.['kind']);
  const name = readText(owner?.['name']);
  if (kind === undefined || name === undefined) return `Pod ${objectName(pod)}`;
  if (kind === 'ReplicaSet') {
    for (const { label, kind: maker } of TEMPLATE_HASHES) {
      const hash = readText(labels[label]);
      if (hash !== undefined && name.endsWith(`-${hash}`))
        return `${maker} ${name.slice(0, -hash.length - 1)}`;
    }
  }
  const cronJob = kind === 'Job' ? CRON_JOB.exec(name)?.[1] : undefined;
  return cronJob === undefined ? `${kind} ${name}` : `CronJob ${cronJob}`;
}

/** Whether another object made this one, so that its pods are its owner's. */
export function isOwned(manifest: JsonObject): boolean {
  return objectsIn(partOf(manifest, 'metadata')['ownerReferences']).some((owner) => {
    if (owner['controller'] === true) return true;
    const { apiVersion, kind } = owner;
    return (
      typeof apiVersion === 'string' &&
      typeof kind === 'string' &&
      workloadKind(readGroupKind({ apiVersion, kind })) !== undefined
    );
  });
}
