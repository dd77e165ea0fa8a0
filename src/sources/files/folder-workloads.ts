/** Reads workloads and their pods from a folder of manifests. */
import { partOf, type JsonObject } from '../../core/kubernetes/json.ts';
import { objectReference } from '../../core/kubernetes/object.ts';
import { groupOf, type WorkloadKind } from '../../core/workload/kinds.ts';
import { ObjectFolder } from './object-folder.ts';

export class FolderWorkloads {
  readonly #folder: string;
  readonly namespace = undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async get(kind: WorkloadKind, namespace: string, name: string): Promise<JsonObject | undefined> {
    const objects = await this.list(kind, kind.isClusterScoped === true ? undefined : namespace, []);
    return objects.find((object) => partOf(object, 'metadata')['name'] === name);
  }

  /** @param labels that each object has */
  async list(
    kind: WorkloadKind,
    namespace: string | undefined,
    labels: readonly (readonly [string, string])[],
  ): Promise<readonly JsonObject[]> {
    const all = await new ObjectFolder(this.#folder).contents();
    return all.filter((object) => {
      const { apiVersion } = object;
      const group = typeof apiVersion === 'string' ? groupOf({ ...kind, apiVersion }) : undefined;
      if (object['kind'] !== kind.kind || group !== groupOf(kind)) return false;
      if (namespace !== undefined && objectReference(object, '', '').namespace !== namespace) return false;
      const has = partOf(partOf(object, 'metadata'), 'labels');
      return labels.every(([key, value]) => has[key] === value);
    });
  }
}
