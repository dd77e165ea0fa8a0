/** Owns which kinds of workloads the controller makes caches for before a miss, and where an API server has them. */
import { readGroupKind } from '../../core/group-kind.ts';
import type { JsonObject } from '../../core/json.ts';

export interface WorkloadKind {
  readonly kind: string;
  /** Where the kind alone would be taken for another. */
  readonly called?: string;
  /** The first that the cluster has. */
  readonly apiVersions: readonly [string, ...string[]];
  readonly plural: string;
  /** Whether a cluster may lack it. */
  readonly mayBeAbsent: boolean;
}

/** The kinds that are thought of. A ReplicaSet comes of a Deployment, and a DaemonSet's pods do not run on ECI. */
export const WORKLOADS: readonly WorkloadKind[] = [
  { kind: 'Deployment', apiVersions: ['apps/v1'], plural: 'deployments', mayBeAbsent: false },
  { kind: 'StatefulSet', apiVersions: ['apps/v1'], plural: 'statefulsets', mayBeAbsent: false },
  { kind: 'Job', apiVersions: ['batch/v1'], plural: 'jobs', mayBeAbsent: false },
  // Before 1.21 there is but the beta.
  { kind: 'CronJob', apiVersions: ['batch/v1', 'batch/v1beta1'], plural: 'cronjobs', mayBeAbsent: true },
  {
    kind: 'Service',
    called: 'Knative Service',
    apiVersions: ['serving.knative.dev/v1'],
    plural: 'services',
    mayBeAbsent: true,
  },
  {
    kind: 'WorkflowTemplate',
    apiVersions: ['argoproj.io/v1alpha1'],
    plural: 'workflowtemplates',
    mayBeAbsent: true,
  },
  { kind: 'CronWorkflow', apiVersions: ['argoproj.io/v1alpha1'], plural: 'cronworkflows', mayBeAbsent: true },
];

const GROUP_KINDS = new Set(
  WORKLOADS.map((each) => readGroupKind({ apiVersion: each.apiVersions[0], kind: each.kind })),
);

/** Whether a manifest is one of them. @throws Unreadable where it does not say what it is */
export function isWorkload(object: JsonObject): boolean {
  return GROUP_KINDS.has(readGroupKind(object));
}
