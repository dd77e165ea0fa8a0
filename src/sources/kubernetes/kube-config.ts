/**
 * Owns which cluster we talk to and as whom: a kubeconfig, or the service account of the pod that we run in.
 * In order: the file that is configured, what KUBECONFIG names, ~/.kube/config, the service account.
 */
import { KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '../../core/kubernetes/json.ts';

/** Where client-node points when it has found nothing. */
const NOTHING_FOUND = 'http://localhost:8080';

/**
 * @param file path of a kubeconfig; empty for the usual places
 * @param context name of a context in it; empty for its current one
 * @throws Error that says what is missing
 */
export function loadKubeConfig(file: string, context: string): KubeConfig {
  const config = new KubeConfig();
  try {
    if (file === '') config.loadFromDefault();
    else config.loadFromFile(file);
  } catch (error) {
    throw new Error(`${file === '' ? 'the kubeconfig' : file} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const contexts = config.getContexts().map(({ name }) => name);
  if (context !== '') {
    if (!contexts.includes(context))
      throw new Error(`there is no context ${JSON.stringify(context)}; there are ${contexts.join(', ')}`);
    config.setCurrentContext(context);
  }
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) {
    throw new Error(
      `${file === '' ? 'the kubeconfig' : file} has no current context; it has ${contexts.join(', ') || 'none'}`,
    );
  }
  if (server === NOTHING_FOUND) {
    throw new Error(
      'no cluster: not in a pod, and neither KUBECONFIG nor ~/.kube/config names one; give --kubeconfig FILE',
    );
  }
  return config;
}
