/** Reads the pods of manifests that flags name, for the commands that decide on them. */
import { WORKLOAD_NAMES } from '../core/workload/kinds.ts';
import type { WorkloadPod } from '../core/workload/pods.ts';
import { readPods } from '../runtime/offline.ts';
import { UsageError, type Flag, type Flags, type Io } from './command.ts';
import { readTextFile } from './flag-values.ts';

export const FILENAME_FLAG: Flag = {
  name: 'filename',
  short: 'f',
  value: 'FILE',
  many: true,
  help: `YAML or JSON with any number of pods or workloads (${WORKLOAD_NAMES}); - is standard input.`,
};

export const NAMESPACE_FLAG: Flag = {
  name: 'namespace',
  short: 'n',
  value: 'NAME',
  help: 'Namespace of the pods, instead of the one in the manifest.',
};

export interface ManifestFile {
  /** As -f has it, or `standard input`. */
  readonly name: string;
  readonly text: string;
}

/** The files that -f names. @throws UsageError if it names none; Error if one cannot be read */
export async function readFiles(flags: Flags, io: Io): Promise<ManifestFile[]> {
  const names = flags.all('filename');
  if (names.length === 0) throw new UsageError('no manifest: give -f FILE, or -f - for standard input');
  const files: ManifestFile[] = [];
  for (const name of names) {
    // oxlint-disable-next-line no-await-in-loop -- standard input can be read only once
    const text = name === '-' ? await io.readInput() : readTextFile(name);
    files.push({ name: name === '-' ? 'standard input' : name, text });
  }
  return files;
}

/** Thrown if the files hold nothing that makes pods. */
export function noPods(files: readonly ManifestFile[]): Error {
  return new Error(
    `no pod in ${files.map(({ name }) => name).join(', ')}; a manifest may hold any of ${WORKLOAD_NAMES}`,
  );
}

/**
 * The pods of the files that -f names. Says on standard error what cannot be read.
 * @param command the one that reads them, for the messages
 * @throws UsageError if -f is not given; Error if the files hold no pod at all
 */
export async function readManifests(
  command: string,
  flags: Flags,
  io: Io,
): Promise<{ pods: WorkloadPod[]; failed: boolean }> {
  const files = await readFiles(flags, io);
  const pods: WorkloadPod[] = [];
  let failed = false;
  for (const { name, text } of files) {
    const read = readPods(name, text);
    pods.push(...read.pods);
    for (const problem of read.problems) io.err.write(`imc ${command}: ${problem}\n`);
    failed ||= read.problems.length > 0;
  }
  if (pods.length === 0 && !failed) throw noPods(files);
  return { pods, failed };
}
