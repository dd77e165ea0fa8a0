/** The ImageCaches of a folder, as the simulator reads and changes them. */
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { ObjectFolder, type StandingObject } from './object-folder.ts';

export class FolderImageCaches {
  readonly #folder: ObjectFolder;
  #standing = new Map<JsonObject, StandingObject>();

  constructor(path: string) {
    this.#folder = new ObjectFolder(path);
  }

  /** @throws if the folder cannot be read */
  async caches(): Promise<readonly JsonObject[]> {
    const standing = (await this.#folder.objects()).filter(({ object }) => object['kind'] === 'ImageCache');
    this.#standing = new Map(standing.map((each) => [each.object, each]));
    return [...this.#standing.keys()];
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
