/** Makes the AdmissionReviews that kube-apiserver sends, with pods as the API server presents them. */
import type { Json } from './objects.ts';

export interface ReviewChange {
  readonly apiVersion?: string;
  readonly operation?: string;
  readonly dryRun?: boolean;
  readonly uid?: string;
  readonly resource?: Json;
  readonly kind?: Json;
  readonly subResource?: string;
  readonly namespace?: string;
  readonly oldObject?: unknown;
}

export function admissionReview(object: unknown, change: ReviewChange = {}): Json {
  const kind = change.kind ?? { group: '', version: 'v1', kind: 'Pod' };
  const resource = change.resource ?? { group: '', version: 'v1', resource: 'pods' };
  return {
    kind: 'AdmissionReview',
    apiVersion: change.apiVersion ?? 'admission.k8s.io/v1',
    request: {
      uid: change.uid ?? '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind,
      resource,
      ...(change.subResource !== undefined && { subResource: change.subResource }),
      requestKind: kind,
      requestResource: resource,
      namespace: change.namespace ?? 'default',
      operation: change.operation ?? 'CREATE',
      userInfo: {
        username: 'system:serviceaccount:kube-system:replicaset-controller',
        uid: '5f0cd5c0-3e7c-4d7b-9a3e-6c2c8d3a7f55',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
      },
      object,
      oldObject: change.oldObject ?? null,
      dryRun: change.dryRun ?? false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    },
  };
}

/** A pod template as the API server presents its pod to webhooks: defaults filled in, account and token mounted. */
export function asSubmitted(template: Json, namespace: string): Json {
  const metadata = (template['metadata'] ?? {}) as Json;
  const spec = template['spec'] as Json;
  const complete = (container: Json, i: number): Json => ({
    name: `container-${i}`,
    resources: {},
    imagePullPolicy: /:[\w.-]+$/.test(String(container['image'])) ? 'IfNotPresent' : 'Always',
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    volumeMounts: [
      {
        name: 'kube-api-access-x7k2p',
        readOnly: true,
        mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
      },
    ],
    ...container,
  });
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      generateName: `${String(metadata['name'])}-5d59d67564-`,
      namespace,
      creationTimestamp: null,
      ...metadata,
    },
    spec: {
      volumes: [{ name: 'kube-api-access-x7k2p', projected: { sources: [], defaultMode: 420 } }],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      serviceAccount: 'default',
      securityContext: {},
      schedulerName: 'default-scheduler',
      tolerations: [
        {
          key: 'node.kubernetes.io/not-ready',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
      ],
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
      ...spec,
      ...(Array.isArray(spec['initContainers']) && {
        initContainers: (spec['initContainers'] as Json[]).map(complete),
      }),
      containers: (spec['containers'] as Json[]).map(complete),
    },
    status: {},
  };
}
