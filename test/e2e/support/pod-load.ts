/** Creates pods without end, as dry runs, and counts what becomes of them: the way to see a lost admission request. */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import type { Json } from '../../support/objects.ts';
import type { ApiServer } from './api-server.ts';
import { metadataOf } from './cluster.ts';

export interface PodLoad extends AsyncDisposable {
  /** How many pods were decided, were let through undecided, and were refused by the API server, with its words. */
  readonly counts: { decided: number; untouched: number; readonly refused: string[] };
  /** Until so many more have been answered. */
  readonly untilMore: (count: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const CLIENTS = 4;
/** Milliseconds between two pods of a client; the machine has other work to do. */
const PAUSE = 10;

/** Of pods that the ImageCache of image `a:1` is for. */
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

/** A dry run. */
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
