/** Finds the external programs that the tests and `make cluster` run: a control plane, kubectl, helm and kwok. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** Where people get each of them. */
const PROGRAMS = {
  etcd: "etcd's releases",
  'kube-apiserver': "Kubernetes' server binaries",
  'kube-controller-manager': "Kubernetes' server binaries",
  'kube-scheduler': "Kubernetes' server binaries",
  kubectl: "Kubernetes' client binaries",
  kwok: "kwok's releases",
  helm: "Helm's releases, version 4",
  helm3: "Helm's releases, version 3, under this name",
} as const;

export type Program = keyof typeof PROGRAMS;

/** The programs that run a cluster and show its objects. */
export const CLUSTER_PROGRAMS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kwok',
] as const satisfies readonly Program[];

/** The control plane comes from one folder, so that its parts are of one version; tools may also be elsewhere. */
const TOOLS: ReadonlySet<string> = new Set<Program>(['kubectl', 'kwok', 'helm', 'helm3']);

function foldersOf(name: Program): string[] {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  const own = assets === undefined || assets === '' ? [] : [assets];
  if (!TOOLS.has(name)) return own;
  const besides = own.map((folder) => join(dirname(folder), 'extras'));
  return [...own, ...besides, ...(process.env['PATH'] ?? '').split(delimiter)];
}

function find(name: Program): string | undefined {
  return foldersOf(name)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/**
 * The paths of programs.
 * @throws Error that names every missing program, the places that were searched, and where to get it
 */
export function findPrograms<Name extends Program>(...names: readonly Name[]): Record<Name, string> {
  const found = names.map((name) => [name, find(name)] as const);
  const missing = found.filter(([, path]) => path === undefined).map(([name]) => name);
  if (missing.length > 0) throw new Error(describeMissing(missing));
  return Object.fromEntries(found) as Record<Name, string>;
}

function describeMissing(names: readonly Program[]): string {
  const assets = process.env['KUBEBUILDER_ASSETS'] ?? '';
  const width = Math.max(...names.map(({ length }) => length));
  return [
    assets === ''
      ? 'KUBEBUILDER_ASSETS is not set. It must name a folder that holds the programs of a control plane.'
      : `KUBEBUILDER_ASSETS names ${assets}.`,
    'These programs were not found:',
    ...names.map((name) => `  ${name.padEnd(width)}  from ${PROGRAMS[name]}`),
    'The control plane must be in that folder. kubectl, kwok and helm may also be in the folder "extras" beside it, or on the PATH.',
  ].join('\n');
}

let minor: number | undefined;

/**
 * The minor version of the Kubernetes under test: 37 of v1.37.2.
 * @throws as `findPrograms` does
 */
export function kubernetesMinor(): number {
  minor ??= Number(
    /v1\.(\d+)/.exec(
      execFileSync(findPrograms('kube-apiserver')['kube-apiserver'], ['--version'], { encoding: 'utf8' }),
    )?.[1],
  );
  return minor;
}
