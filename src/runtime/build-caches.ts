/** Owns the ImageCaches as objects, by the name of the source: those of a cluster, or those of a folder. */
import type { Config } from '../config/config.ts';
import type { JsonObject } from '../core/json.ts';
import { FilesBackend } from '../sources/files/files-backend.ts';

export interface CachesAccess {
  /** All of them, as they are now. @throws where they cannot be read */
  caches(): Promise<readonly JsonObject[]>;
  setStatus(object: JsonObject, status: JsonObject): Promise<void>;
  delete(object: JsonObject): Promise<void>;
}

const FILES = 'files:';

/** @throws where the configuration leads to no source */
export async function connectCaches({ source, kubeconfig, kubeContext }: Config): Promise<CachesAccess> {
  if (source.startsWith(FILES)) return new FilesBackend(source.slice(FILES.length));
  const { connectBackend } = await import('../sources/kubernetes/connect.ts');
  return connectBackend(kubeconfig, kubeContext);
}
