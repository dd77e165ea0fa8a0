/** Puts into a cluster the objects that the webhook reads, and runs the webhook against it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { eventually } from '../../support/eventually.ts';
import { CA, runWebhook, temporaryFolder, type RunningWebhook } from '../../support/webhook.ts';
import { cacheObject, type CacheSpec, type Json } from '../../support/objects.ts';
import type { ApiServer } from './api-server.ts';
import {
  kubeconfig,
  startControlPlane,
  type ControlPlane,
  type ControlPlaneOptions,
} from './control-plane.ts';

const CHART = 'charts/imagecache-webhook';
const ACCOUNT = 'imagecache-webhook';
export const IMAGE_CACHES = '/apis/eci.alibabacloud.com/v1/imagecaches';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

export const IMAGE_CACHE_CRD = readManifest(`${CHART}/resources/imagecaches.yaml`);

export function readManifest(file: string): Json {
  return parse(readFileSync(file, 'utf8')) as Json;
}

export function readManifests(file: string): Json[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS() as Json);
}

/** Creates a CustomResourceDefinition, and waits until the API server serves its versions. */
export async function installCrd(api: ApiServer, crd: Json): Promise<void> {
  await api.create(CRDS, crd);
  const { group, names, versions } = crd['spec'] as {
    group: string;
    names: { plural: string };
    versions: { name: string; served: boolean }[];
  };
  const served = versions.filter((version) => version.served);
  await eventually(
    () => Promise.all(served.map(({ name }) => api.get(`/apis/${group}/${name}/${names.plural}`))),
    20_000,
  );
}

export async function removeCrd(api: ApiServer, crd: Json): Promise<void> {
  await api.remove(`${CRDS}/${(crd['metadata'] as { name: string }).name}`);
}

/** Creates an ImageCache, with the status that ECI would give it. */
export async function putImageCache(api: ApiServer, spec: CacheSpec): Promise<void> {
  const { metadata, status, ...object } = cacheObject(spec);
  const { name, labels } = metadata as Json;
  await api.create(IMAGE_CACHES, { ...object, metadata: { name, labels } });
  await setStatus(api, spec.name, status as Json);
}

export async function setStatus(api: ApiServer, name: string, status: Json): Promise<void> {
  await api.merge(`${IMAGE_CACHES}/${name}/status`, { status });
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** Reads RBAC rules of the chart. */
export function readRules(file: string): Rule[] {
  return parse(readFileSync(join(CHART, 'rbac', file), 'utf8')) as Rule[];
}

/** The controller of the tests has its Lease in kube-system. */
const SEES_LEASE = { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['list', 'watch'] };

interface AccountOptions {
  readonly bindTime?: boolean | undefined;
  /** Whether pods may wait for their cache. */
  readonly waits?: boolean | undefined;
}

/** Creates the namespace and the service account of the webhook, with the rights that the chart gives it. */
export async function installAccount(
  api: ApiServer,
  { bindTime = false, waits = false }: AccountOptions,
): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const subjects = [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: ACCOUNT }];
  const role = (kind: string): Json => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: ACCOUNT });
  const metadata = { name: ACCOUNT };
  await api.create('/api/v1/namespaces', { metadata });
  await api.create(`/api/v1/namespaces/${ACCOUNT}/serviceaccounts`, { metadata });
  await api.create(`${rbac}/clusterroles`, {
    metadata,
    rules: [
      ...readRules('cluster-rules.yaml'),
      ...(bindTime ? readRules('bind-time-rules.yaml') : []),
      ...(waits ? readRules('wait-rules.yaml') : []),
    ],
  });
  await api.create(`${rbac}/clusterrolebindings`, { metadata, subjects, roleRef: role('ClusterRole') });
  await api.create(`${rbac}/namespaces/kube-system/roles`, {
    metadata,
    rules: [...readRules('kube-system-rules.yaml'), ...(waits ? [SEES_LEASE] : [])],
  });
  await api.create(`${rbac}/namespaces/kube-system/rolebindings`, {
    metadata,
    subjects,
    roleRef: role('Role'),
  });
}

/** Starts a control plane with the ImageCache resource and the webhook's service account. */
export async function startCluster({
  bindTime,
  waits,
  ...options
}: ControlPlaneOptions & AccountOptions = {}): Promise<ControlPlane> {
  const plane = await startControlPlane(options);
  try {
    await installCrd(plane.api, IMAGE_CACHE_CRD);
    await installAccount(plane.api, { bindTime, waits });
    return plane;
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

/** A token of the webhook's service account, which is valid for an hour. */
export async function accountToken(api: ApiServer): Promise<string> {
  const { status } = await api.create(`/api/v1/namespaces/${ACCOUNT}/serviceaccounts/${ACCOUNT}/token`, {
    spec: { expirationSeconds: 3600 },
  });
  return (status as { token: string }).token;
}

/** Creates a namespace, and waits until pods can be created in it. */
export async function createNamespace(
  api: ApiServer,
  name: string,
  labels: Record<string, string> = {},
): Promise<void> {
  await api.create('/api/v1/namespaces', { metadata: { name, labels } });
  await api.untilPodsCanBeCreated(name);
}

export interface PodRequest {
  readonly images: readonly string[];
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly spec?: Json;
}

let podsMade = 0;

/** Creates a pod as a user would, and returns it as the API server has it. */
export function runPod(api: ApiServer, pod: PodRequest): Promise<Json> {
  const { images, namespace = 'default', labels, annotations, spec } = pod;
  podsMade += 1;
  return api.create(`/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name: `pod-${podsMade}`, labels, annotations },
    spec: { containers: images.map((image, i) => ({ name: `c${i}`, image })), ...spec },
  });
}

export interface Metadata {
  readonly name: string;
  readonly uid: string;
  readonly deletionTimestamp?: string;
  readonly annotations: Json;
  readonly labels: Json;
}

/** An object's metadata; maps that it lacks are empty. */
export function metadataOf(object: Json): Metadata {
  return { annotations: {}, labels: {}, ...(object['metadata'] as Json) } as unknown as Metadata;
}

export interface WebhookInCluster extends RunningWebhook, AsyncDisposable {
  /** Writes another token into the kubeconfig that it was started with. */
  readonly renewToken: (token: string) => void;
}

/**
 * Runs the webhook against the cluster as its service account.
 * @param settings paths of settings, and their texts
 * @param server the address to use instead of the API server's, such as a proxy's
 */
export async function startInCluster(
  plane: Pick<ControlPlane, 'api' | 'ca' | 'url'>,
  settings: Record<string, string> = {},
  server: { readonly url: string; readonly ca: string } = plane,
): Promise<WebhookInCluster> {
  const folder = temporaryFolder();
  const renewToken = (token: string): void =>
    folder.write('kubeconfig', kubeconfig(server.url, server.ca, { token }));
  renewToken(await accountToken(plane.api));
  const webhook = await runWebhook('', {
    source: 'kubernetes',
    kubeconfig: join(folder.path, 'kubeconfig'),
    ...settings,
  });
  const stop = async (): Promise<void> => {
    await webhook.stop();
    folder.remove();
  };
  return { ...webhook, stop, renewToken, [Symbol.asyncDispose]: stop };
}

/** A CustomResourceDefinition of another project, with which the API server accepts any object of the kind. */
export function openCrd(group: string, version: string, kind: string): Json {
  const plural = `${kind.toLowerCase()}s`;
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}

/** The schedule of a CronJob that runs only if `makeDue` makes it due. */
export const ONCE_A_YEAR = '0 0 1 1 *';

/** Has a CronJob of `ONCE_A_YEAR` run once, as if its last run had been a year ago. */
export async function makeDue(api: ApiServer, cronJob: string): Promise<void> {
  const lastScheduleTime = new Date(Date.now() - 366 * 86_400_000).toISOString();
  await api.merge(`${cronJob}/status`, { status: { lastScheduleTime } });
}

/**
 * A webhook of a MutatingWebhookConfiguration, for pods and bindings, as docs/reference.md shows it for a webhook
 * outside the cluster.
 * @param url of its endpoint
 * @param ca PEM
 */
export function podWebhook(
  name: string,
  url: string,
  ca: string,
  resources: readonly string[] = ['pods', 'pods/binding', 'bindings'],
): Json {
  return {
    name: `${name}.imagecache-webhook.io`,
    clientConfig: { url, caBundle: Buffer.from(ca).toString('base64') },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources }],
    admissionReviewVersions: ['v1', 'v1beta1'],
    sideEffects: 'NoneOnDryRun',
    reinvocationPolicy: 'IfNeeded',
    failurePolicy: 'Ignore',
    timeoutSeconds: 2,
  };
}

/** Has the API server call a webhook for every pod, and for every binding, of these namespaces. */
export async function register(
  api: ApiServer,
  name: string,
  { address }: Pick<RunningWebhook, 'address'>,
  options: {
    readonly resources?: readonly string[] | undefined;
    readonly ca?: string;
    readonly path?: string;
    /** Only for namespaces with these labels. */
    readonly namespaceLabels?: Record<string, string>;
  } = {},
): Promise<void> {
  await api.create('/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
    metadata: { name },
    webhooks: [
      {
        ...podWebhook(name, `${address}${options.path ?? '/mutate'}`, options.ca ?? CA, options.resources),
        ...(options.namespaceLabels && { namespaceSelector: { matchLabels: options.namespaceLabels } }),
        // In a test a missing answer must fail, and a late answer on a busy machine must not be taken for a missing
        // one.
        failurePolicy: 'Fail',
        timeoutSeconds: 30,
      },
      {
        // Makes the API server refuse the ConfigMap of `untilCalled`, because nothing listens at that address.
        name: `called.${name}.imagecache-webhook.io`,
        clientConfig: { url: 'https://127.0.0.1:1/' },
        objectSelector: { matchLabels: { registered: name } },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
      },
    ],
  });
  await untilCalled(api, name, true);
}

/** Waits until the API server has learned by its watch that a webhook configuration was created or deleted. */
async function untilCalled(api: ApiServer, name: string, called: boolean): Promise<void> {
  const object = { metadata: { generateName: 'registered-', labels: { registered: name } } };
  await eventually(async () => {
    const { status, body } = await api.send(
      'POST',
      '/api/v1/namespaces/default/configmaps?dryRun=All',
      object,
    );
    if (body.includes('failed calling webhook') !== called) throw new Error(`${name}: ${status} ${body}`);
  });
}

export async function unregister(api: ApiServer, name: string): Promise<void> {
  await api.remove(`/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${name}`);
  await untilCalled(api, name, false);
}
