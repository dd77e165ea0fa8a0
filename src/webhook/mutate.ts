/**
 * The route POST /mutate. Its steps, each one function: readBody > decodeReview > readPod > remembered(decide >
 * patchFor > encodeResponse) > addUid > send.
 */
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import {
  addUid,
  ALLOWED_AS_IT_IS,
  decodeReview,
  type EncodedResponse,
  type Review,
} from './admission-review.ts';
import type { AddressList } from '../http/address-list.ts';
import { Answering, type AnswerOptions, type Caller } from './answer.ts';
import { refuseStrangers, type TrustedClients } from './client-certificate.ts';
import { BODY_LIMIT, readBody } from './request-body.ts';
import { BodyAccount, type BodyBudget } from './body-budget.ts';

export interface MutateOptions extends AnswerOptions {
  /** While true, every response asks its client to open another connection, which then goes to another replica. */
  readonly draining: () => boolean;
  /** Undefined if every client may use /mutate. */
  readonly clients: TrustedClients | undefined;
  /** Limits the memory of the bodies of one address. */
  readonly bodies: BodyBudget;
  /** The addresses of the API servers, if they are known. */
  readonly apiServers: AddressList;
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

export const mutate: FastifyPluginCallback<MutateOptions> = (app, options, done) => {
  const { metrics, draining, clients } = options;
  const answering = new Answering(options);
  const succeeded = metrics.requestSeconds.at({ status: 200 });
  acceptJsonBytes(app, options.bodies);
  app.decorateRequest('arrivedAt', 0);
  app.decorateRequest('account', null);
  app.addHook('onRequest', (request, _reply, next) => {
    request.arrivedAt = performance.now();
    next();
  });
  if (clients) app.addHook('onRequest', refuseStrangers(clients));
  app.post('/mutate', (request, reply) => {
    const review = decode(request);
    const send = (response: EncodedResponse): void => {
      succeeded.observe(secondsOf(request));
      if (draining()) reply.header('connection', 'close');
      void reply.type(JSON_TYPE).send(addUid(review, response));
    };
    switch (review.target) {
      case 'pod':
        send(answering.answerPod(review));
        break;
      case 'binding':
        answering
          .answerBinding(review, callerOf(request, options))
          .then(send, (error: unknown) => reply.send(error));
        break;
      case 'other':
        send(ALLOWED_AS_IT_IS);
    }
  });
  app.route({
    method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '/mutate',
    // Before the body is read: the method is at fault, not the body.
    onRequest: refuseMethod,
    handler: refuseMethod,
  });
  app.addHook('onError', (request, _reply, error, next) => {
    metrics.requestSeconds.at({ status: error.statusCode ?? 500 }).observe(secondsOf(request));
    next();
  });
  done();
};

function callerOf({ ip }: FastifyRequest, { clients, apiServers }: MutateOptions): Caller {
  // With certificates only API servers come as far as here.
  if (clients !== undefined || apiServers.has(ip)) return 'API server';
  return apiServers.isEmpty ? 'anybody' : 'stranger';
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

function refuseMethod(_request: FastifyRequest, reply: FastifyReply): never {
  reply.header('allow', 'POST');
  throw new MethodNotAllowed('POST an AdmissionReview to /mutate');
}
