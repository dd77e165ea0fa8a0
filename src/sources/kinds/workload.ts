/** Owns which kinds of workloads the controller makes caches for before a miss, and where an API server has them. */
import { readGroupKind } from '../../core/kubernetes/object.ts';
import type { JsonObject } from '../../core/kubernetes/json.ts';

export interface WorkloadKind {
  readonly kind: string;
  /** Where the kind alone would be taken for another. */
  readonly called?: string;
  readonly apiVersion: string;
  readonly plural: string;
  /** Whether a cluster may lack it. */
  readonly mayBeAbsent: boolean;
}

/** The kinds that are thought of. A ReplicaSet comes of a Deployment, and a DaemonSet's pods do not run on ECI. */
export const WORKLOADS: readonly WorkloadKind[] = [
  { kind: 'Deployment', apiVersion: 'apps/v1', plural: 'deployments', mayBeAbsent: false },
  { kind: 'StatefulSet', apiVersion: 'apps/v1', plural: 'statefulsets', mayBeAbsent: false },
  { kind: 'Job', apiVersion: 'batch/v1', plural: 'jobs', mayBeAbsent: false },
  { kind: 'CronJob', apiVersion: 'batch/v1', plural: 'cronjobs', mayBeAbsent: false },
  {
    kind: 'Service',
    called: 'Knative Service',
    apiVersion: 'serving.knative.dev/v1',
    plural: 'services',
    mayBeAbsent: true,
  },
  {
    kind: 'WorkflowTemplate',
    apiVersion: 'argoproj.io/v1alpha1',
    plural: 'workflowtemplates',
    mayBeAbsent: true,
  },
  { kind: 'CronWorkflow', apiVersion: 'argoproj.io/v1alpha1', plural: 'cronworkflows', mayBeAbsent: true },
];

const GROUP_KINDS = new Set(
  WORKLOADS.map((each) => readGroupKind({ apiVersion: each.apiVersion, kind: each.kind })),
);

/** Whether a manifest is one of them. @throws Unreadable where it does not say what it is */
export function isWorkload(object: JsonObject): boolean {
  return GROUP_KINDS.has(readGroupKind(object));
}
