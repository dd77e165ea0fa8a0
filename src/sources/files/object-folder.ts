/** Adds, changes or removes one object in a folder of manifests; the other objects of its file keep their comments. */
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { isObject, objectsIn, type JsonObject } from '../../core/kubernetes/json.ts';
import { itemsOfList } from '../../core/kubernetes/object.ts';
import { manifestFiles } from './folder.ts';

export interface StandingObject {
  readonly object: JsonObject;
  readonly file: string;
  /** The position of the document in its file, from 0. */
  readonly position: number;
  /** When the file was last written, in milliseconds since 1970. */
  readonly writtenAt: number;
}

export class ObjectFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** All objects. Skips documents that cannot be parsed, which the files source reports. */
  async objects(): Promise<StandingObject[]> {
    const files = await manifestFiles(this.#path);
    const read = await Promise.all(files.map((file) => readObjects(join(this.#path, file))));
    return read.flat();
  }

  /** All objects, to read alone: lists (`kind: List`, as kubectl prints them) are taken apart. */
  async contents(): Promise<JsonObject[]> {
    return (await this.objects()).flatMap(({ object }) => objectsIn(itemsOfList(object) ?? [object]));
  }

  /** @throws if the file exists already */
  async add(name: string, object: JsonObject): Promise<void> {
    await writeFile(join(this.#path, `${name}.yaml`), stringify(object), { flag: 'wx' });
  }

  /** @param change the new object; undefined removes the object */
  async replace({ file, position }: StandingObject, change: JsonObject | undefined): Promise<void> {
    const documents = parseAllDocuments(await readFile(file, 'utf8'));
    const texts = documents.flatMap((document, i) => {
      if (i !== position) return [document.toString()];
      return change === undefined ? [] : [stringify(change)];
    });
    if (texts.length === 0) {
      await rm(file);
      return;
    }
    // Writes a file of another name first, so that nobody reads half a file.
    const draft = join(dirname(file), `.${basename(file)}.new`);
    await writeFile(draft, texts.map((text) => text.replace(/^---\n/, '')).join('---\n'));
    await rename(draft, file);
  }
}

async function readObjects(file: string): Promise<StandingObject[]> {
  try {
    const { mtimeMs: writtenAt } = await stat(file);
    return parseAllDocuments(await readFile(file, 'utf8')).flatMap((document, position) => {
      const object: unknown = document.errors.length > 0 ? undefined : document.toJS();
      return isObject(object) ? [{ object, file, position, writtenAt }] : [];
    });
  } catch {
    return [];
  }
}
