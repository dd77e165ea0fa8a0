/** Creates pods as dry runs, one after the other, and counts the results, which shows lost admission requests. */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import type { Json } from '../../support/objects.ts';
import type { ApiServer } from './api-server.ts';
import { metadataOf } from './cluster.ts';

export interface PodLoad extends AsyncDisposable {
  /** How many pods were decided and how many were not, and the API server's answers to the pods that it refused. */
  readonly counts: { decided: number; untouched: number; readonly refused: string[] };
  /** Waits until this many more pods have been answered. */
  readonly untilMore: (count: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const CLIENTS = 4;
/** Milliseconds between two pods of a client, because the machine has other work to do. */
const PAUSE = 10;

/** All pods have the image `a:1`, for which there must be an ImageCache `a`. */
export function createPodsWithoutEnd(api: ApiServer): PodLoad {
  const counts: PodLoad['counts'] = { decided: 0, untouched: 0, refused: [] };
  const stopping = new AbortController();
  const client = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { status, body } = await createPod(api);
      if (status >= 300) counts.refused.push(body);
      else if (isDecided(JSON.parse(body) as Json)) counts.decided += 1;
      else counts.untouched += 1;
      await sleep(PAUSE);
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.all(clients);
  };
  const answered = (): number => counts.decided + counts.untouched + counts.refused.length;
  const untilMore = async (count: number): Promise<void> => {
    const until = answered() + count;
    while (answered() < until && !stopping.signal.aborted) await sleep(PAUSE);
  };
  return { counts, untilMore, stop, [Symbol.asyncDispose]: stop };
}

/** Creates one pod as a dry run. */
export function createPod(api: ApiServer): Promise<{ status: number; body: string }> {
  return api.send('POST', '/api/v1/namespaces/default/pods?dryRun=All', {
    metadata: { generateName: 'load-', labels: { 'alibabacloud.com/eci': 'true' } },
    spec: { containers: [{ name: 'c', image: 'a:1' }] },
  });
}

/** Creates pods until this many in a row are decided, because a fresh installation takes a moment. */
export async function untilDecided(api: ApiServer, pods = 1): Promise<void> {
  await eventually(async () => {
    for (let i = 0; i < pods; i++) {
      const { body } = await createPod(api);
      if (!isDecided(JSON.parse(body) as Json)) throw new Error(`a pod was not decided: ${body}`);
    }
  }, 20_000);
}

export function isDecided(pod: Json): boolean {
  return metadataOf(pod).annotations['k8s.aliyun.com/eci-imc-id'] === 'imc-a';
}
