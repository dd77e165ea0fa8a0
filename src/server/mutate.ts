/** Owns POST /mutate. One request is one line: bytes → review → answer → bytes; each arrow is one function elsewhere. */
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { ALLOWED_AS_IT_IS, decodeReview, encodeReview, type EncodedAnswer } from './admission-review.ts';
import { answerBinding, answerPod, type AnswerOptions } from './answer.ts';
import { RecentDecisions } from './recent-decisions.ts';
import { refuseStrangers, type TrustedClients } from './client-certificate.ts';
import { readBody } from './request-body.ts';

/** What kube-apiserver may send at most (3 MiB for an object, twice, and room), and what a body may have. */
const BODY_LIMIT = 8 * 2 ** 20;
/** With the parameter, which Fastify would otherwise add to each answer. */
const JSON_TYPE = 'application/json; charset=utf-8';

export interface MutateOptions extends AnswerOptions {
  /** While true, every answer asks its client to open another connection, which will then go elsewhere. */
  readonly draining: () => boolean;
  /** Undefined where everybody may ask. */
  readonly clients: TrustedClients | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** When its headers had come, by performance.now(). Fastify's own elapsedTime is 0 without its logger. */
    arrivedAt: number;
  }
}

export const mutate: FastifyPluginCallback<MutateOptions> = (app, options, done) => {
  acceptJsonBytes(app);
  app.decorateRequest('arrivedAt', 0);
  app.addHook('onRequest', (request, _reply, next) => {
    request.arrivedAt = performance.now();
    next();
  });
  if (options.clients) app.addHook('onRequest', refuseStrangers(options.clients));
  const { metrics, draining } = options;
  const answered = metrics.requestSeconds.at({ status: 200 });
  const recent = new RecentDecisions(options.view, options.config);
  app.post('/mutate', (request, reply) => {
    const review = decodeReview(Buffer.isBuffer(request.body) ? request.body : undefined);
    const send = (answer: EncodedAnswer): FastifyReply => {
      answered.observe(secondsOf(request));
      if (draining()) reply.header('connection', 'close');
      return reply.type(JSON_TYPE).send(encodeReview(review, answer));
    };
    switch (review.subject) {
      case 'pod':
        // Not awaited: that would cost every pod of the cluster a turn of the event loop.
        send(answerPod(review, recent, options));
        return undefined;
      case 'binding':
        return answerBinding(review, options).then(send);
      case 'other':
        send(ALLOWED_AS_IT_IS);
        return undefined;
    }
  });
  app.route({
    method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '/mutate',
    // Before the body is read: what is wrong is the method, not the body.
    onRequest: refuseMethod,
    handler: refuseMethod,
  });
  app.addHook('onError', (request, _reply, error, next) => {
    metrics.requestSeconds.at({ status: error.statusCode ?? 500 }).observe(secondsOf(request));
    next();
  });
  done();
};

function secondsOf({ arrivedAt }: FastifyRequest): number {
  return (performance.now() - arrivedAt) / 1000;
}

/** The body stays bytes: the codec reads it, strictly, and no other content type is one. */
function acceptJsonBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (_request, payload, done) => {
    readBody(payload, BODY_LIMIT, done);
  });
}

class MethodNotAllowed extends Error {
  readonly statusCode = 405;
}

function refuseMethod(_request: FastifyRequest, reply: FastifyReply): never {
  reply.header('allow', 'POST');
  throw new MethodNotAllowed('POST an AdmissionReview to /mutate');
}
