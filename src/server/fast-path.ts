/**
 * Owns the fast path: an ordinary POST /mutate is answered before Fastify sees it, whose way to the handler and back takes
 * a twentieth of the webhook's throughput. Nothing is refused here: what is out of the ordinary (another content type, a
 * client that may not ask, a body that cannot be read or is no review) goes to Fastify, which has the whole route
 * (mutate.ts). Without this file the webhook answers the same, and slower.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import type { FaultOfClient } from './client-certificate.ts';
import { BODY_LIMIT, readBody } from './request-body.ts';
import { JSON_TYPE, type Respond } from './respond.ts';

export interface FastPathOptions {
  readonly respond: Respond;
  /** While true, every answer asks its client to open another connection, which will then go elsewhere. */
  readonly draining: () => boolean;
  readonly faultOfClient: FaultOfClient;
}

/** What was read of a request that then went to Fastify: a stream gives its bytes once. */
interface HandedOn {
  /** By performance.now(). */
  readonly arrivedAt: number;
  readonly error: Error | null;
  readonly body: Buffer | undefined;
}

const handedOn = new WeakMap<IncomingMessage, HandedOn>();

export function whatWasRead(request: IncomingMessage): HandedOn | undefined {
  return handedOn.get(request);
}

/** @param fastify has every other request, and those that turn out not to be ordinary */
export function fastPath(
  { respond, draining, faultOfClient }: FastPathOptions,
  fastify: RequestListener,
): RequestListener {
  return (request, response) => {
    if (!isOrdinary(request) || faultOfClient(request.socket) !== undefined) {
      fastify(request, response);
      return;
    }
    const arrivedAt = performance.now();
    const send = (answer: string): void => {
      const headers = ['content-type', JSON_TYPE, 'content-length', String(Buffer.byteLength(answer))];
      if (draining()) headers.push('connection', 'close');
      response.writeHead(200, headers).end(answer);
    };
    readBody(request, BODY_LIMIT, (error, body) => {
      const handOn = (): void => {
        handedOn.set(request, { arrivedAt, error, body });
        fastify(request, response);
      };
      if (error) {
        handOn();
        return;
      }
      try {
        const answer = respond(body, arrivedAt);
        if (typeof answer === 'string') send(answer);
        else void answer.then(send).catch(handOn);
      } catch {
        // It says the same to Fastify, which knows how to put it.
        handOn();
      }
    });
  };
}

/** As kube-apiserver sends them: with the time that it waits in the query. */
function isOrdinary({ method, url, headers }: IncomingMessage): boolean {
  return (
    method === 'POST' &&
    (url === '/mutate' || url?.startsWith('/mutate?') === true) &&
    headers['content-type'] === 'application/json'
  );
}
