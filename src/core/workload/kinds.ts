/**
 * The kinds of objects that make pods: where each keeps the templates of its pods, how kubectl and the API server name it,
 * and what its controller adds. `explain`, `advise`, pre-warming and the chart's advice webhook all read this table.
 */

export interface WorkloadKind {
  /** `apps/v1`; other versions of the group are read alike. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Other names that kubectl takes. */
  readonly shortNames?: readonly string[];
  /** The name for people, if the kind alone would be ambiguous. */
  readonly called?: string;
  /**
   * The paths of its pod templates; of a kind with a shape, of what the shape reads. `[*]` stands for each item of a list,
   * which may be absent, and `.*` for each value of a map; a part with `?` may be absent too.
   */
  readonly templates: readonly string[];
  /** Set if what the paths lead to is no pod template, but a shape of its own. */
  readonly shape?: 'argo' | 'spark';
  /** Other metadata that the user may take for the pod's, though no pod gets it: `spec.jobTemplate.metadata`. */
  readonly otherMetadata?: readonly string[];
  /**
   * How its pods are found: by its `spec.selector`, by a label whose value is its name, or as those of the objects of another
   * kind that it owns. Undefined for a Pod itself, and for a kind that is only a template.
   */
  readonly pods?: 'selector' | { readonly label: string } | { readonly ofOwned: string };
  /** Distinct images that its controller adds to each pod; a manifest does not show them. */
  readonly addedImages?: number;
  /** Whether its own documentation recommends the older annotation names (docs/domain.md, "Pod annotations"). */
  readonly recommendsLegacyNames?: boolean;
  readonly isClusterScoped?: boolean;
  /** Whether the controller can pre-warm it. A ReplicaSet belongs to a Deployment; pods of a DaemonSet do not run on ECI. */
  readonly isPrewarmed?: boolean;
}

const ARGO = { shape: 'argo', addedImages: 1, recommendsLegacyNames: true } as const;
const KNATIVE = { addedImages: 1, recommendsLegacyNames: true } as const;

export const WORKLOAD_KINDS: readonly WorkloadKind[] = [
  { apiVersion: 'v1', kind: 'Pod', plural: 'pods', shortNames: ['po'], templates: [''] },
  { apiVersion: 'v1', kind: 'PodTemplate', plural: 'podtemplates', templates: ['template'] },
  {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    pods: 'selector',
    plural: 'replicationcontrollers',
    shortNames: ['rc'],
    templates: ['spec.template'],
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    pods: 'selector',
    plural: 'deployments',
    shortNames: ['deploy'],
    templates: ['spec.template'],
    isPrewarmed: true,
  },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    pods: 'selector',
    plural: 'statefulsets',
    shortNames: ['sts'],
    templates: ['spec.template'],
    isPrewarmed: true,
  },
  {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    pods: 'selector',
    plural: 'daemonsets',
    shortNames: ['ds'],
    templates: ['spec.template'],
  },
  {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    pods: 'selector',
    plural: 'replicasets',
    shortNames: ['rs'],
    templates: ['spec.template'],
  },
  {
    apiVersion: 'batch/v1',
    kind: 'Job',
    pods: 'selector',
    plural: 'jobs',
    templates: ['spec.template'],
    isPrewarmed: true,
  },
  {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    pods: { ofOwned: 'batch/Job' },
    plural: 'cronjobs',
    shortNames: ['cj'],
    templates: ['spec.jobTemplate.spec.template'],
    otherMetadata: ['spec.jobTemplate.metadata'],
    isPrewarmed: true,
  },
  {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    pods: { label: 'serving.knative.dev/service' },
    plural: 'services',
    shortNames: ['ksvc', 'kservice'],
    called: 'Knative Service',
    templates: ['spec.template'],
    isPrewarmed: true,
    ...KNATIVE,
  },
  {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Configuration',
    pods: { label: 'serving.knative.dev/configuration' },
    plural: 'configurations',
    templates: ['spec.template'],
    ...KNATIVE,
  },
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Workflow',
    pods: { label: 'workflows.argoproj.io/workflow' },
    plural: 'workflows',
    shortNames: ['wf'],
    templates: ['spec'],
    ...ARGO,
  },
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'WorkflowTemplate',
    plural: 'workflowtemplates',
    shortNames: ['wftmpl'],
    templates: ['spec'],
    isPrewarmed: true,
    ...ARGO,
  },
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'ClusterWorkflowTemplate',
    plural: 'clusterworkflowtemplates',
    shortNames: ['cwft'],
    isClusterScoped: true,
    templates: ['spec'],
    ...ARGO,
  },
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'CronWorkflow',
    pods: { ofOwned: 'argoproj.io/Workflow' },
    plural: 'cronworkflows',
    shortNames: ['cwf', 'cronwf'],
    templates: ['spec.workflowSpec'],
    otherMetadata: ['spec.workflowMetadata'],
    isPrewarmed: true,
    ...ARGO,
  },
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    pods: 'selector',
    plural: 'rollouts',
    shortNames: ['ro'],
    // Without a template, the Rollout takes that of the Deployment that spec.workloadRef names.
    templates: ['spec.template?'],
    isPrewarmed: true,
  },
  {
    apiVersion: 'sparkoperator.k8s.io/v1beta2',
    kind: 'SparkApplication',
    pods: { label: 'sparkoperator.k8s.io/app-name' },
    plural: 'sparkapplications',
    shortNames: ['sparkapp'],
    templates: ['spec'],
    shape: 'spark',
  },
  {
    apiVersion: 'ray.io/v1',
    kind: 'RayCluster',
    pods: { label: 'ray.io/cluster' },
    plural: 'rayclusters',
    templates: ['spec.headGroupSpec.template', 'spec.workerGroupSpecs[*].template'],
  },
  {
    apiVersion: 'ray.io/v1',
    kind: 'RayJob',
    pods: { ofOwned: 'ray.io/RayCluster' },
    plural: 'rayjobs',
    // A RayJob that selects a running cluster has no rayClusterSpec.
    templates: [
      'spec.rayClusterSpec?.headGroupSpec.template',
      'spec.rayClusterSpec?.workerGroupSpecs[*].template',
      'spec.submitterPodTemplate?',
    ],
  },
  {
    apiVersion: 'jobset.x-k8s.io/v1alpha2',
    kind: 'JobSet',
    pods: { label: 'jobset.sigs.k8s.io/jobset-name' },
    plural: 'jobsets',
    templates: ['spec.replicatedJobs[*].template.spec.template'],
    otherMetadata: ['spec.replicatedJobs[*].template.metadata'],
  },
  {
    apiVersion: 'kubeflow.org/v1',
    kind: 'PyTorchJob',
    pods: { label: 'training.kubeflow.org/job-name' },
    plural: 'pytorchjobs',
    templates: ['spec.pytorchReplicaSpecs?.*.template'],
  },
  {
    apiVersion: 'apps.kruise.io/v1alpha1',
    kind: 'CloneSet',
    pods: 'selector',
    plural: 'clonesets',
    shortNames: ['clone'],
    templates: ['spec.template'],
    isPrewarmed: true,
  },
];

const BY_GROUP_KIND: ReadonlyMap<string, WorkloadKind> = new Map(
  WORKLOAD_KINDS.map((each) => [`${groupOf(each)}/${each.kind}`, each]),
);

/** The kinds that the controller can pre-warm. */
export const PREWARMED_KINDS: readonly WorkloadKind[] = WORKLOAD_KINDS.filter(
  ({ isPrewarmed }) => isPrewarmed === true,
);

/** For messages: `Pod, PodTemplate, …`. */
export const WORKLOAD_NAMES = [...new Set(WORKLOAD_KINDS.map(({ kind }) => kind))].join(', ');

/** The group of a kind; empty for the core group. */
export function groupOf({ apiVersion }: WorkloadKind): string {
  return apiVersion.slice(0, Math.max(apiVersion.indexOf('/'), 0));
}

/** @param groupKind `apps/Deployment`; undefined for a kind that makes no pods */
export function workloadKind(groupKind: string): WorkloadKind | undefined {
  return BY_GROUP_KIND.get(groupKind);
}

/** The path of the collection of a kind at the API server. @param namespace undefined: of all namespaces */
export function collectionPath(
  { apiVersion, plural, isClusterScoped }: WorkloadKind,
  namespace?: string,
): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespace === undefined || isClusterScoped === true
    ? `${root}/${plural}`
    : `${root}/namespaces/${namespace}/${plural}`;
}

/** The kind that kubectl means by a name: a kind, plural or short name in any case, perhaps with its group (`jobs.batch`). */
export function kindNamed(text: string): WorkloadKind | undefined {
  const [name = '', ...group] = text.toLowerCase().split('.');
  return WORKLOAD_KINDS.find(
    (each) =>
      [each.kind.toLowerCase(), each.plural, ...(each.shortNames ?? [])].includes(name) &&
      (group.length === 0 || group.join('.') === groupOf(each)),
  );
}

/** Whether a cluster may lack the kind, because it is a custom resource. */
export function mayBeAbsent(kind: WorkloadKind): boolean {
  return !['', 'apps', 'batch'].includes(groupOf(kind));
}
