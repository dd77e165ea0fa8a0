/** Makes the AdmissionReviews of the load: 5.7 kB each, no two alike, as kube-apiserver sends them for a Deployment. */
import { admissionReview, asSubmitted } from '../support/admission.ts';
import type { Json } from '../support/objects.ts';
import { describeCaches, randomFrom, SIDECAR } from './population.ts';

export type Scenario = 'hit' | 'new image set' | 'miss' | 'out of scope' | 'selectors';

/** Workloads that the pods of a scenario belong to. */
const WORKLOADS = 400;
/** Profile selectors of the scenario `selectors`: half are Selector objects, and half are entries of the ConfigMap. */
export const SELECTORS = 1000;

const VARIABLES = Array.from({ length: 35 }, (_, i) => ({
  name: `SERVICE_SETTING_${i}`,
  value: `https://settings.example.com/v1/${i}/x`,
}));

/**
 * @param caches how many caches the cluster has (population.ts)
 * @param count how many reviews
 */
export function makeReviews(scenario: Scenario, caches: number, count: number): string[] {
  const random = randomFrom(7);
  const known = Array.from(describeCaches(caches), ({ images }) =>
    images.filter((image) => image !== SIDECAR),
  );
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const workloads = Array.from({ length: WORKLOADS }, () => pick(known));
  return Array.from({ length: count }, (_, i) => {
    const [first, second] = {
      hit: (): readonly string[] => workloads[i % WORKLOADS]!,
      selectors: (): readonly string[] => workloads[i % WORKLOADS]!,
      'out of scope': (): readonly string[] => workloads[i % WORKLOADS]!,
      'new image set': () => [pick(pick(known)), pick(pick(known))],
      miss: () => [
        `registry.example.com/new/app-${i % WORKLOADS}:v1`,
        `registry.example.com/new/init-${i % WORKLOADS}:v1`,
      ],
    }[scenario]();
    const sidecar = scenario === 'miss' ? 'registry.example.com/new/proxy:v1' : SIDECAR;
    const unique = i.toString(36).padStart(5, '0');
    return JSON.stringify(review(scenario, `workload-${i % WORKLOADS}`, unique, [first!, second!, sidecar]));
  });
}

function review(scenario: Scenario, workload: string, unique: string, images: readonly string[]): Json {
  const labels = {
    app: workload,
    'pod-template-hash': '5d59d67564',
    ...(scenario === 'selectors' && { team: `team-${Number.parseInt(unique, 36) % SELECTORS}` }),
    ...(scenario !== 'out of scope' && scenario !== 'selectors' && { 'alibabacloud.com/eci': 'true' }),
  };
  const mount = {
    name: `kube-api-access-${unique}`,
    readOnly: true,
    mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
  };
  const [app, init, sidecar] = images;
  const container = (name: string, image: string | undefined, more: Json = {}): Json => ({
    name,
    image,
    imagePullPolicy: 'IfNotPresent',
    volumeMounts: [mount],
    ...more,
  });
  const pod = asSubmitted(
    {
      metadata: { name: workload, labels, annotations: { 'prometheus.io/scrape': 'true' } },
      spec: {
        initContainers: [container('init', init)],
        containers: [
          container('app', app, {
            env: VARIABLES,
            resources: { requests: { cpu: '500m', memory: '1Gi' }, limits: { cpu: '2', memory: '2Gi' } },
            readinessProbe: {
              httpGet: { path: '/readyz', port: 8080, scheme: 'HTTP' },
              periodSeconds: 5,
              failureThreshold: 3,
            },
            ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
            livenessProbe: { httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' }, periodSeconds: 10 },
          }),
          container('proxy', sidecar),
        ],
      },
    },
    'shop',
  );
  return admissionReview(pod, { namespace: 'shop', uid: `705ab4f5-6393-11e8-b7cc-0000000${unique}` });
}
