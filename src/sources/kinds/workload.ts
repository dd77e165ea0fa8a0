/** The kinds of workloads that the controller can pre-warm, and their paths at the API server. */
import { readGroupKind } from '../../core/kubernetes/object.ts';
import type { JsonObject } from '../../core/kubernetes/json.ts';

export interface WorkloadKind {
  readonly kind: string;
  /** The name for people, if the kind alone would be ambiguous. */
  readonly called?: string;
  readonly apiVersion: string;
  readonly plural: string;
  /** Whether a cluster may lack the kind. */
  readonly mayBeAbsent: boolean;
}

/** The kinds to pre-warm. A ReplicaSet belongs to a Deployment, and the pods of a DaemonSet do not run on ECI. */
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

/** Whether a manifest is a workload to pre-warm. @throws Unreadable if it states no kind */
export function isWorkload(object: JsonObject): boolean {
  return GROUP_KINDS.has(readGroupKind(object));
}
