/** Reads the pods of manifests that flags name, for the commands that decide on them. */
import { WORKLOAD_KINDS, type WorkloadPod } from '../core/kubernetes/workload.ts';
import { readPods } from '../runtime/offline.ts';
import type { Flag, Flags, Io } from './command.ts';
import { readTextFile } from './flag-values.ts';

export const FILENAME_FLAG: Flag = {
  name: 'filename',
  short: 'f',
  value: 'FILE',
  many: true,
  help: `YAML or JSON with any number of pods or workloads (${WORKLOAD_KINDS.join(', ')}); - is standard input.`,
};

export const NAMESPACE_FLAG: Flag = {
  name: 'namespace',
  short: 'n',
  value: 'NAME',
  help: 'Namespace of the pods, instead of the one in the manifest.',
};

/**
 * The pods of the files that -f names. Says on standard error what cannot be read.
 * @param command the one that reads them, for the messages
 * @throws Error if the files hold no pod at all
 */
export async function readManifests(
  command: string,
  flags: Flags,
  io: Io,
): Promise<{ pods: WorkloadPod[]; failed: boolean }> {
  const files = flags.all('filename');
  const pods: WorkloadPod[] = [];
  let failed = false;
  for (const file of files) {
    // oxlint-disable-next-line no-await-in-loop -- standard input can be read only once
    const text = file === '-' ? await io.readInput() : readTextFile(file);
    const read = readPods(file === '-' ? 'standard input' : file, text);
    pods.push(...read.pods);
    for (const problem of read.problems) io.err.write(`imc ${command}: ${problem}\n`);
    failed ||= read.problems.length > 0;
  }
  if (pods.length === 0 && !failed) {
    throw new Error(`no pod in ${files.join(', ')}; a manifest may hold any of ${WORKLOAD_KINDS.join(', ')}`);
  }
  return { pods, failed };
}
