/**
 * A route that takes AdmissionReviews: who may use it, how its body is read, decoded and limited, and how long answers take.
 * What the answer is, the route's own file says.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HistogramTally } from '../http/tally.ts';
import { addUid, decodeReview, type EncodedResponse, type Review } from './admission-review.ts';
import { refuseStrangers, type TrustedClients } from './client-certificate.ts';
import { BODY_LIMIT, readBody } from './request-body.ts';
import { BodyAccount, type BodyBudget } from './body-budget.ts';

export interface AdmissionRouteOptions {
  /** While true, every response asks its client to open another connection, which then goes to another replica. */
  readonly draining: () => boolean;
  /** Undefined if every client may use the route. */
  readonly clients: TrustedClients | undefined;
  /** Limits the memory of the bodies of one address. */
  readonly bodies: BodyBudget;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** When the headers had arrived, by performance.now(). Fastify's own elapsedTime is 0 without its logger. */
    arrivedAt: number;
    /** What its body takes; null for a request without one. */
    account: BodyAccount | null;
  }
}

/** Includes the charset, because Fastify would otherwise append it to the content type of each response. */
const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * @param app a scope of its own, because its hooks hold for all routes of the scope
 * @param answer must not throw
 */
export function admissionRoute(
  app: FastifyInstance,
  path: string,
  { draining, clients, bodies }: AdmissionRouteOptions,
  requestSeconds: HistogramTally<'status'>,
  answer: (review: Review, request: FastifyRequest) => EncodedResponse | Promise<EncodedResponse>,
): void {
  const succeeded = requestSeconds.at({ status: 200 });
  acceptJsonBytes(app, bodies);
  app.decorateRequest('arrivedAt', 0);
  app.decorateRequest('account', null);
  app.addHook('onRequest', (request, _reply, next) => {
    request.arrivedAt = performance.now();
    next();
  });
  if (clients) app.addHook('onRequest', refuseStrangers(clients));
  app.post(path, (request, reply) => {
    const review = decode(request);
    const send = (response: EncodedResponse): void => {
      succeeded.observe(secondsOf(request));
      if (draining()) reply.header('connection', 'close');
      void reply.type(JSON_TYPE).send(addUid(review, response));
    };
    const response = answer(review, request);
    if (typeof response === 'string') send(response);
    else response.then(send, (error: unknown) => reply.send(error));
  });
  const refuseMethod = (_request: FastifyRequest, reply: FastifyReply): never => {
    reply.header('allow', 'POST');
    throw new MethodNotAllowed(`POST an AdmissionReview to ${path}`);
  };
  app.route({
    method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: path,
    // Before the body is read: the method is at fault, not the body.
    onRequest: refuseMethod,
    handler: refuseMethod,
  });
  app.addHook('onError', (request, _reply, error, next) => {
    requestSeconds.at({ status: error.statusCode ?? 500 }).observe(secondsOf(request));
    next();
  });
}

/** @throws MalformedReview; TooMuchAtOnce */
function decode({ body, account }: FastifyRequest): Review {
  try {
    return decodeReview(Buffer.isBuffer(body) ? body : undefined, (bytes) => account?.spend(bytes) ?? true);
  } finally {
    account?.close();
  }
}

function secondsOf({ arrivedAt }: FastifyRequest): number {
  return (performance.now() - arrivedAt) / 1000;
}

/** The body stays bytes, because decodeReview is stricter than Fastify; no other content type is accepted. */
function acceptJsonBytes(app: FastifyInstance, budget: BodyBudget): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request, payload, parsed) => {
    const account = new BodyAccount(budget, request.ip);
    request.account = account;
    readBody(payload, BODY_LIMIT, account, parsed);
  });
}

class MethodNotAllowed extends Error {
  readonly statusCode = 405;
}
