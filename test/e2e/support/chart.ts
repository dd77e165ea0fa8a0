/** Renders the chart as Helm would, and puts what comes out into a cluster. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import type { Json } from '../../support/objects.ts';
import { temporaryFolder } from '../../support/webhook.ts';
import type { ApiServer } from './api-server.ts';
import { metadataOf } from './cluster.ts';

export const CHART = 'charts/imagecache-webhook';
export const RELEASE = 'imagecache-webhook';
/** Where the tests install it. */
export const NAMESPACE = 'imagecache-webhook';

export interface Rendering {
  readonly values?: Json;
  /** Of Kubernetes: `1.30.0`. */
  readonly kubeVersion?: string;
  readonly namespace?: string;
}

/**
 * Everything but the CRDs.
 * @throws Error with what the renderer says
 */
export function renderChart({
  values = {},
  kubeVersion = '1.30.0',
  namespace = NAMESPACE,
}: Rendering): Json[] {
  const folder = temporaryFolder({ 'values.yaml': stringify(values) });
  try {
    const text = execFileSync(
      findRenderer(),
      [
        'template',
        RELEASE,
        CHART,
        '--namespace',
        namespace,
        '--kube-version',
        kubeVersion,
        '--skip-crds',
        '--values',
        `${folder.path}/values.yaml`,
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
    return text
      .split(/^---$/m)
      .map(parseOnce)
      .filter((object) => object !== null);
  } finally {
    folder.remove();
  }
}

/** Most of what one set of values renders, another renders too. */
const parsed = new Map<string, Json | null>();

function parseOnce(text: string): Json | null {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const object = parse(text) as Json | null;
  parsed.set(text, object);
  return object;
}

/** @throws where there is neither helm nor the renderer that CHART_TEMPLATE names */
function findRenderer(): string {
  try {
    execFileSync('helm', ['version'], { stdio: 'ignore' });
    return 'helm';
  } catch {
    const named = process.env['CHART_TEMPLATE'];
    if (named !== undefined && existsSync(named)) return named;
    throw new Error('there is no helm, and CHART_TEMPLATE names no other renderer of charts');
  }
}

const PLURALS: Readonly<Record<string, string>> = {
  NetworkPolicy: 'networkpolicies',
};
const CLUSTER_SCOPED = new Set(['ClusterRole', 'ClusterRoleBinding', 'MutatingWebhookConfiguration']);

/** Where the API server has an object. */
export function pathOf(object: Json): string {
  const kind = object['kind'] as string;
  const { name, namespace } = object['metadata'] as { name: string; namespace: string };
  const version = object['apiVersion'] as string;
  const group = version.includes('/') ? `/apis/${version}` : `/api/${version}`;
  const scope = CLUSTER_SCOPED.has(kind) ? '' : `/namespaces/${namespace}`;
  return `${group}${scope}/${PLURALS[kind] ?? `${kind.toLowerCase()}s`}/${name}`;
}

/** As Helm does at an installation and at an upgrade: what the chart does not name is left as it is. */
export async function applyObjects(api: ApiServer, objects: readonly Json[], query = ''): Promise<void> {
  for (const object of objects) {
    await api.call('PATCH', `${pathOf(object)}?fieldManager=helm&force=true${query}`, object, {
      'content-type': 'application/apply-patch+yaml',
    });
  }
}

/** Installs or upgrades the release. */
export async function installChart(api: ApiServer, values: Json): Promise<Json[]> {
  const objects = renderChart({ values, kubeVersion: '1.20.0' });
  for (const name of [NAMESPACE, 'kube-system']) {
    const metadata = { name, labels: { 'kubernetes.io/metadata.name': name } };
    // The label is Kubernetes' own from 1.21 on.
    await api.call(
      'PATCH',
      `/api/v1/namespaces/${name}?fieldManager=test`,
      { apiVersion: 'v1', kind: 'Namespace', metadata },
      { 'content-type': 'application/apply-patch+yaml' },
    );
  }
  await api.untilPodsCanBeCreated(NAMESPACE);
  await applyObjects(api, objects);
  return objects;
}

export function find(objects: readonly Json[], kind: string, name: string = RELEASE): Json {
  const found = objects.find((each) => each['kind'] === kind && metadataOf(each).name === name);
  if (!found) throw new Error(`the chart has no ${kind} ${name}`);
  return found;
}
