/**
 * Finds the cluster and our credentials, in this order: the configured file, KUBECONFIG, ~/.kube/config, the service
 * account of our pod.
 */
// Not the whole package, which would load WebSockets, tar and others that nothing here uses.
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { messageOf } from '../../core/kubernetes/problem.ts';

/** The server that client-node falls back to if it finds no configuration. */
const NOTHING_FOUND = 'http://localhost:8080';

/**
 * @param file path of a kubeconfig; empty for the usual places
 * @param context name of a context in the kubeconfig; empty for its current context
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
