/**
 * Polls a folder for its manifest files and their changes. Polling works the same on every file system, and for the
 * symlinks by which Kubernetes swaps a mounted ConfigMap.
 */
import { messageOf } from '../../core/kubernetes/problem.ts';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const MANIFEST = /\.(?:ya?ml|json)$/i;

interface SeenFile {
  readonly latest: string;
  readonly settled: string | undefined;
}

export interface FolderChanges {
  /** Paths relative to the folder. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export class Folder {
  readonly path: string;
  readonly #seen = new Map<string, SeenFile>();
  #isFirstLook = true;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * The files that have changed since the last poll. A changed file is reported when two polls in a row see it in the
   * same state, so that nobody reads a file that is being written; the first poll reports all files.
   * @throws if the folder cannot be read
   */
  async poll(): Promise<FolderChanges> {
    const signatures = await this.#signatures();
    const changed: string[] = [];
    for (const [file, signature] of signatures) {
      const seen = this.#seen.get(file);
      const isStable = this.#isFirstLook || seen?.latest === signature;
      if (isStable && seen?.settled !== signature) changed.push(file);
      this.#seen.set(file, { latest: signature, settled: isStable ? signature : seen?.settled });
    }
    const removed = [...this.#seen.keys()].filter((file) => !signatures.has(file));
    for (const file of removed) this.#seen.delete(file);
    this.#isFirstLook = false;
    return { changed, removed };
  }

  /** For each file, a text that changes with its content: the file's times, size and inode. */
  async #signatures(): Promise<Map<string, string>> {
    const manifests = await manifestFiles(this.path);
    const entries = await Promise.all(
      manifests.map(async (name): Promise<[string, string] | undefined> => {
        try {
          const seen = await stat(join(this.path, name), { bigint: true });
          // A folder may be named x.yaml, and reading a pipe would wait for ever.
          if (!seen.isFile()) return undefined;
          return [name, `${seen.mtimeNs} ${seen.ctimeNs} ${seen.size} ${seen.ino}`];
        } catch {
          // Deleted between the listing and the poll: the next poll will notice.
          return undefined;
        }
      }),
    );
    return new Map(entries.filter((entry) => entry !== undefined));
  }
}

/**
 * The manifests below a folder, relative to it, sorted.
 * @throws if it cannot be read
 */
export async function manifestFiles(path: string): Promise<string[]> {
  const names = await readdir(path, { recursive: true }).catch((error: unknown) => {
    throw new Error(`folder ${path} cannot be read: ${messageOf(error)}`, { cause: error });
  });
  return names.filter((name) => MANIFEST.test(name) && !isHidden(name)).toSorted();
}

/** Editors' swap files, and the `..data` folders of Kubernetes. */
function isHidden(path: string): boolean {
  return path.split(/[/\\]/).some((part) => part.startsWith('.'));
}
