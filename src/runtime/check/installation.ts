/** Looks at what is installed: the ImageCache resource, the webhook configuration, and the replicas behind its Service. */
import { X509Certificate } from 'node:crypto';
import { objectsIn, partOf, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { objectName } from '../../core/kubernetes/object.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { DAY, formatTime } from '../../core/kubernetes/time.ts';
import { IMAGE_CACHE_API_VERSION } from '../../core/image-cache.ts';
import type { ApiQuestions } from '../../sources/kubernetes/api-questions.ts';
import { failed, ok, warned, type CheckFinding } from './finding.ts';

/** Milliseconds before its end at which a CA is worth a warning: the managed one is renewed long before. */
const ENDS_SOON = 7 * DAY;

/** What the other checks need of an installation. */
export interface Installation {
  /** The service that the API server calls; undefined for a webhook outside the cluster. */
  readonly service: { readonly namespace: string; readonly name: string } | undefined;
  readonly webhooks: readonly JsonObject[];
  /** The pods that are ready. */
  readonly replicas: readonly JsonObject[];
}

/** @returns undefined if there is no such configuration @throws ApiError */
export async function readInstallation(
  api: ApiQuestions,
  configurationName: string,
): Promise<Installation | undefined> {
  const configuration = await api.webhookConfiguration(configurationName);
  if (!configuration) return undefined;
  const webhooks = objectsIn(configuration['webhooks']);
  const reference = partOf(partOf(webhooks[0] ?? {}, 'clientConfig'), 'service');
  const namespace = readText(reference['namespace']);
  const name = readText(reference['name']);
  const service = namespace !== undefined && name !== undefined ? { namespace, name } : undefined;
  return { service, webhooks, replicas: service ? await readyPods(api, service) : [] };
}

async function readyPods(
  api: ApiQuestions,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<JsonObject[]> {
  const slices = await api.list(
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
    `kubernetes.io/service-name=${name}`,
  );
  const names = slices
    .flatMap((slice) => objectsIn(slice['endpoints']))
    .filter((endpoint) => partOf(endpoint, 'conditions')['ready'] !== false)
    .flatMap((endpoint) => readText(partOf(endpoint, 'targetRef')['name']) ?? []);
  const pods = await Promise.all(
    [...new Set(names)].map((pod) => api.get(`/api/v1/namespaces/${namespace}/pods/${pod}`)),
  );
  return pods.filter((pod) => pod !== undefined);
}

export async function checkInstallation(
  api: ApiQuestions,
  configurationName: string,
  installation: Installation | undefined,
): Promise<CheckFinding> {
  if (!installation) {
    return failed(
      `There is no MutatingWebhookConfiguration ${configurationName}, so no pod is sent to a webhook.`,
      'Install the chart, or name the configuration with --tls-managed-webhook-configuration.',
    );
  }
  if (!(await api.get(`/apis/${IMAGE_CACHE_API_VERSION}`))) {
    return failed(
      'The cluster does not have the ImageCache resource, so image caches are not supported in it.',
      'Install the chart with crds.enabled=true, or the virtual node add-on, which brings the resource.',
    );
  }
  const { service, replicas } = installation;
  if (!service) return ok('The webhook runs outside the cluster, at a URL.');
  const where = `Service ${service.namespace}/${service.name}`;
  if (replicas.length === 0) {
    return failed(
      `No replica behind ${where} is ready, so pods are created without a decision.`,
      `Look at them: kubectl -n ${service.namespace} get pods, and then at the log of one.`,
    );
  }
  if (replicas.length === 1) {
    return warned(
      `A single replica is ready behind ${where}: ${objectName(replicas[0]!)}.`,
      'Run two, so that a restart leaves no pod without a decision.',
    );
  }
  return ok(`${replicas.length} replicas are ready behind ${where}.`);
}

/** Whether API servers can trust the webhook: each caBundle holds a CA that has not ended. @param now milliseconds since 1970 */
export function checkTrust({ webhooks }: Installation, now: number): CheckFinding {
  const renew =
    'With managed certificates a replica writes the caBundle within a second: look at its log, and at a GitOps tool that writes the field too.';
  let firstEnd = Infinity;
  for (const webhook of webhooks) {
    const name = readText(webhook['name']) ?? '';
    const bundle = Buffer.from(
      readText(partOf(webhook, 'clientConfig')['caBundle']) ?? '',
      'base64',
    ).toString();
    const certificates = bundle.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
    if (certificates.length === 0)
      return failed(`The caBundle of ${name} is empty, so the API server trusts no webhook.`, renew);
    try {
      const ends = certificates.map((pem) => Date.parse(new X509Certificate(pem).validTo));
      firstEnd = Math.min(firstEnd, Math.max(...ends));
    } catch (error) {
      return failed(`The caBundle of ${name} cannot be read: ${messageOf(error)}.`, renew);
    }
  }
  if (firstEnd <= now) return failed(`The CA in the caBundle ended at ${formatTime(firstEnd)}.`, renew);
  if (firstEnd - now < ENDS_SOON)
    return warned(`The CA in the caBundle ends at ${formatTime(firstEnd)}.`, renew);
  return ok(`The API server trusts a CA that is valid until ${formatTime(firstEnd)}.`);
}
