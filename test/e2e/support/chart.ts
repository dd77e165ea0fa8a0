/** Installs the chart as a user does: by helm. */
import { parseAllDocuments, stringify } from 'yaml';
import { expect } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Json } from '../../support/objects.ts';
import { runOwned } from '../../support/owned-process.ts';
import { temporaryFolder } from '../../support/webhook.ts';
import type { ApiServer } from './api-server.ts';
import { metadataOf } from './cluster.ts';
import type { ControlPlane } from './control-plane.ts';
import { findPrograms } from './programs.ts';

export const CHART = 'charts/imagecache-webhook';
export const RELEASE = 'imagecache-webhook';
/** The namespace in which the tests install the chart. */
export const NAMESPACE = 'imagecache-webhook';

interface HelmRun {
  /** Values for a file that replaces the argument `VALUES`. */
  readonly values?: Json;
  readonly kubeconfig?: string;
  /** `helm` is version 4. */
  readonly program?: 'helm' | 'helm3';
}

/**
 * @returns what helm prints
 * @throws Error with what helm says
 */
async function runHelm(
  args: readonly string[],
  { values = {}, kubeconfig = '', program = 'helm' }: HelmRun = {},
): Promise<string> {
  const folder = temporaryFolder({ 'values.yaml': stringify(values) });
  try {
    return await runOwned(
      findPrograms(program)[program],
      args.map((arg) => (arg === 'VALUES' ? `${folder.path}/values.yaml` : arg)),
      // The caches and settings of helm go into a folder of their own.
      { HOME: folder.path, KUBECONFIG: kubeconfig },
    );
  } finally {
    folder.remove();
  }
}

/** Everything in a text of YAML documents. */
function readObjects(text: string): Json[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Json | null)
    .filter((object) => object !== null);
}

interface Rendering {
  readonly values?: Json;
  /** The version of Kubernetes, such as `1.30.0`. */
  readonly kubeVersion?: string;
}

/**
 * What `helm template` makes of the chart, hooks included.
 * @throws Error with what helm says
 */
export async function renderChart({ values = {}, kubeVersion = '1.30.0' }: Rendering): Promise<Json[]> {
  const flags = [`--namespace=${NAMESPACE}`, `--kube-version=${kubeVersion}`];
  return readObjects(await runHelm(['template', RELEASE, CHART, ...flags, '--values', 'VALUES'], { values }));
}

/** @throws Error with the errors and warnings of `helm lint` */
export async function lintChart(values: Json): Promise<void> {
  await runHelm(['lint', CHART, '--strict', '--quiet', '--values', 'VALUES'], { values });
}

export interface UpgradeOptions {
  /** The folder or the package of a chart. */
  readonly chart?: string;
  readonly program?: 'helm' | 'helm3';
  readonly flags?: readonly string[];
}

export interface Revision {
  readonly revision: number;
  readonly status: string;
  readonly chart: string;
}

/** The release of the chart in one cluster. */
export class Release {
  readonly #kubeconfig: string;

  constructor({ kubeconfig }: Pick<ControlPlane, 'kubeconfig'>) {
    this.#kubeconfig = kubeconfig;
  }

  /** Installs the release or upgrades it. @returns its objects */
  async upgrade(
    values: Json,
    { chart = CHART, program = 'helm', flags = [] }: UpgradeOptions = {},
  ): Promise<Json[]> {
    const all = ['--install', '--create-namespace', '--values', 'VALUES', ...flags];
    await this.#run(['upgrade', RELEASE, chart, ...all], { values, program });
    return readObjects(await this.#run(['get', 'manifest', RELEASE], { program }));
  }

  /** Rolls back to the revision before. */
  async rollback(): Promise<void> {
    await this.#run(['rollback', RELEASE]);
  }

  async uninstall(): Promise<void> {
    await this.#run(['uninstall', RELEASE]);
  }

  /** Runs the hooks of `helm test`. @returns what helm prints @throws Error if one fails */
  test(): Promise<string> {
    // The hook itself gives up after 15 s.
    return this.#run(['test', RELEASE, '--timeout', '120s']);
  }

  /** All revisions, the oldest first. */
  async history(): Promise<Revision[]> {
    return JSON.parse(await this.#run(['history', RELEASE, '--output=json'])) as Revision[];
  }

  #run(args: readonly string[], run: HelmRun = {}): Promise<string> {
    return runHelm([...args, `--namespace=${NAMESPACE}`], { ...run, kubeconfig: this.#kubeconfig });
  }
}

/** Waits until all replicas of the webhook have the latest template and are ready, and no other pod is left. */
export async function untilRolledOut(api: ApiServer, replicas = 2): Promise<void> {
  await eventually(async () => {
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${RELEASE}`;
    const { metadata, status } = await api.get(path);
    expect(status).toMatchObject({
      observedGeneration: (metadata as Json)['generation'],
      updatedReplicas: replicas,
      replicas,
      readyReplicas: replicas,
    });
  }, 60_000);
}

export function find(objects: readonly Json[], kind: string, name: string = RELEASE): Json {
  const found = objects.find((each) => each['kind'] === kind && metadataOf(each).name === name);
  if (!found) throw new Error(`the chart has no ${kind} ${name}`);
  return found;
}
