/** The ImageCaches and the pods of a folder, as the simulator reads and changes them. */
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { withAnnotations } from '../../core/kubernetes/object.ts';
import { ObjectFolder, type StandingObject } from './object-folder.ts';

export class FolderImageCaches {
  readonly #folder: ObjectFolder;
  #standing = new Map<JsonObject, StandingObject>();

  constructor(path: string) {
    this.#folder = new ObjectFolder(path);
  }

  /** @throws if the folder cannot be read */
  caches(): Promise<readonly JsonObject[]> {
    return this.#read('ImageCache');
  }

  async nodesAndPods(): Promise<{ nodes: readonly JsonObject[]; pods: readonly JsonObject[] }> {
    const nodes = await this.#read('Node');
    return { nodes, pods: await this.#read('Pod') };
  }

  /** The objects of a kind, which may be changed until the next reading. */
  async #read(kind: string): Promise<readonly JsonObject[]> {
    const standing = (await this.#folder.objects()).filter(({ object }) => object['kind'] === kind);
    this.#standing = new Map(standing.map((each) => [each.object, each]));
    return [...this.#standing.keys()];
  }

  async annotatePod(pod: JsonObject, annotations: Readonly<Record<string, string>>): Promise<void> {
    const standing = this.#standing.get(pod);
    if (standing) await this.#folder.replace(standing, withAnnotations(pod, annotations));
  }

  /** A folder has no Events. */
  recordEvent(): Promise<void> {
    return Promise.resolve();
  }

  async setStatus(object: JsonObject, status: JsonObject): Promise<void> {
    const standing = this.#standing.get(object);
    if (standing) await this.#folder.replace(standing, { ...object, status });
  }

  async delete(object: JsonObject): Promise<void> {
    const standing = this.#standing.get(object);
    if (standing) await this.#folder.replace(standing, undefined);
  }
}
