/** Owns the ImageCaches as objects, by the name of the source: those of a cluster, or those of a folder. */
import type { Config } from '../config/config.ts';
import type { JsonObject } from '../core/json.ts';
import { FilesBackend } from '../sources/files/files-backend.ts';
import { folderOf } from './build-source.ts';

export interface CachesAccess {
  /** All of them, as they are now. @throws where they cannot be read */
  caches(): Promise<readonly JsonObject[]>;
  setStatus(object: JsonObject, status: JsonObject): Promise<void>;
  delete(object: JsonObject): Promise<void>;
}

/**
 * @param signal ends what is under way
 * @throws where the configuration leads to no source
 */
export async function connectCaches(
  config: Config,
  signal = new AbortController().signal,
): Promise<CachesAccess> {
  const folder = folderOf(config);
  if (folder !== undefined) return new FilesBackend(folder);
  const { connectBackend } = await import('../sources/kubernetes/connect.ts');
  return connectBackend(config.kubeconfig, config.kubeContext, signal);
}
