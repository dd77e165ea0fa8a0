/** Asks each replica how old its index is, by its health port, through the API server. */
import {
  isObject,
  objectsIn,
  partOf,
  readText,
  textsIn,
  type JsonObject,
} from '../../core/kubernetes/json.ts';
import { objectName } from '../../core/kubernetes/object.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { isForbidden, type ApiQuestions } from '../../sources/kubernetes/api-questions.ts';
import { failed, ok, skipped, warned, type CheckFinding } from './finding.ts';
import type { Installation } from './installation.ts';

/** Of the container port, in the chart. */
const HEALTH_PORT = 'health';
/** Replicas that are asked; each holds the same. */
const MOST_REPLICAS = 5;

/** @param maxStalenessMs from which age on the webhook trusts its index no more */
export async function checkFreshness(
  api: ApiQuestions,
  { replicas, service }: Installation,
  maxStalenessMs: number,
): Promise<CheckFinding> {
  if (!service)
    return skipped('The webhook runs outside the cluster: its /readyz says how old its index is.');
  const states = await Promise.all(
    replicas.slice(0, MOST_REPLICAS).map(async (pod) => {
      const path = `/api/v1/namespaces/${service.namespace}/pods/${objectName(pod)}:${healthPort(pod)}/proxy/readyz`;
      try {
        return { pod: objectName(pod), state: await api.get(path) };
      } catch (error) {
        return { pod: objectName(pod), error };
      }
    }),
  );
  const refused = states.find(({ error }) => error !== undefined);
  if (refused) {
    return isForbidden(refused.error)
      ? skipped(
          'You may not ask the replicas how old their index is.',
          `It takes the right to get pods/proxy in namespace ${service.namespace}; kubectl get pods shows whether they are ready.`,
        )
      : failed(
          `Replica ${refused.pod} is not ready: ${messageOf(refused.error)}.`,
          `Look at its log: kubectl -n ${service.namespace} logs ${refused.pod}.`,
        );
  }
  let oldest = 0;
  for (const { pod, state } of states) {
    const [problem] = isObject(state) ? textsIn(state['problems']) : [];
    const age = isObject(state) ? state['sourceAgeSeconds'] : undefined;
    if (typeof age !== 'number') return skipped(`Replica ${pod} does not say how old its index is.`);
    if (problem !== undefined)
      return warned(
        `Replica ${pod} reports: ${problem}.`,
        'The operations page explains each problem (docs/operations.md).',
      );
    oldest = Math.max(oldest, age);
  }
  if (states.length === 0) return skipped('No replica is ready that could be asked.');
  const says = `The API server confirmed every index ${Math.round(oldest)} s ago or later.`;
  return oldest * 1000 > maxStalenessMs
    ? failed(says, 'Until it does again, the webhook writes no ID: look at the load of the API server.')
    : ok(says);
}

function healthPort(pod: JsonObject): number {
  const ports = objectsIn(partOf(pod, 'spec')['containers']).flatMap((each) => objectsIn(each['ports']));
  const port = ports.find((each) => readText(each['name']) === HEALTH_PORT)?.['containerPort'];
  return typeof port === 'number' ? port : 8081;
}
