/** Puts load on a server: 25 connections over TLS are kept alive, and each sends its share of the reviews in turn. */
import autocannon, { type Client, type Instance, type Result } from 'autocannon';
import { processorSeconds, type Server } from './processes.ts';

const CONNECTIONS = 25;
/** Enough for V8 to compile the code, and for each of 4,000 reviews to be sent five times. */
export const WARM_UP_REQUESTS = 20_000;

export interface LoadResult {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of processor time for each request, including the server's threads for garbage collection. */
  readonly processorMicroseconds: number;
}

/**
 * Nothing is counted until every connection has had an answer, because requests wait while the load is being set up.
 * @param seconds how long, or how many requests
 * @param skip how many of its reviews each connection skips at first and sends last; turns that always begin with the
 * same ones would hardly reach the others
 * @throws if an answer is not 200, or does not come
 */
export async function putLoad(
  { url, pid }: Pick<Server, 'url' | 'pid'>,
  reviews: readonly string[],
  {
    seconds,
    requests,
    skip = 0,
    meanwhile,
  }: {
    readonly seconds?: number;
    readonly requests?: number;
    readonly skip?: number;
    readonly meanwhile?: () => void;
  },
): Promise<LoadResult> {
  const share = Math.floor(reviews.length / CONNECTIONS);
  const milliseconds: number[] = [];
  let connection = 0;
  const answered = new Set<Client>();
  let began = { at: 0, processor: 0 };
  let endedAt = 0;
  const finished = Promise.withResolvers<Result>();
  const running: Instance = autocannon(
    {
      url: `${url}/mutate`,
      method: 'POST',
      connections: CONNECTIONS,
      // autocannon checks whether it is done only when it takes a sample, by default once a second.
      sampleInt: 50,
      ...(requests === undefined ? { duration: seconds ?? 5 } : { amount: requests }),
      setupClient: (client: Client) => {
        const from = connection++ * share;
        const own = reviews.slice(from, from + share);
        const first = skip % share;
        client.setRequests(
          [...own.slice(first), ...own.slice(0, first)].map((body) => ({
            method: 'POST',
            path: '/mutate',
            headers: { 'content-type': 'application/json' },
            body,
          })),
        );
      },
    },
    (error: Error | null, result) => (error ? finished.reject(error) : finished.resolve(result)),
  );
  meanwhile?.();
  running.on('response', (client, _status, _bytes, took) => {
    if (answered.size < CONNECTIONS) {
      answered.add(client);
      began = { at: performance.now(), processor: processorSeconds(pid) };
    } else {
      milliseconds.push(took);
      endedAt = performance.now();
    }
  });
  const { errors, timeouts, non2xx } = await finished.promise;
  if (errors + timeouts + non2xx > 0)
    throw new Error(`${errors} errors, ${timeouts} timeouts, ${non2xx} refused`);
  milliseconds.sort((a, b) => a - b);
  const at = (share_: number): number => milliseconds[Math.floor(milliseconds.length * share_)] ?? Number.NaN;
  return {
    perSecond: milliseconds.length / ((endedAt - began.at) / 1000),
    p50: at(0.5),
    p99: at(0.99),
    processorMicroseconds: ((processorSeconds(pid) - began.processor) / milliseconds.length) * 1e6,
  };
}

/** Sends a fixed number of requests, and not for a fixed time, because machines are not equally fast. */
export function warmUp(server: Server, reviews: readonly string[]): Promise<LoadResult> {
  return putLoad(server, reviews, { requests: WARM_UP_REQUESTS });
}
