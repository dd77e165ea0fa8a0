/** Owns the route POST /mutate: who may ask, what is read, and what is refused. Most requests take the fast path past it. */
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../metrics/metrics.ts';
import { refuseStrangers } from './client-certificate.ts';
import { whatWasRead, type FastPathOptions } from './fast-path.ts';
import { BODY_LIMIT, readBody } from './request-body.ts';
import { JSON_TYPE } from './respond.ts';

export interface MutateOptions extends FastPathOptions {
  readonly metrics: Metrics;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** When its headers had come, by performance.now(). Fastify's own elapsedTime is 0 without its logger. */
    arrivedAt: number;
  }
}

export const mutate: FastifyPluginCallback<MutateOptions> = (app, options, done) => {
  const { respond, metrics, draining, faultOfClient } = options;
  acceptJsonBytes(app);
  app.decorateRequest('arrivedAt', 0);
  app.addHook('onRequest', (request, _reply, next) => {
    request.arrivedAt = whatWasRead(request.raw)?.arrivedAt ?? performance.now();
    next();
  });
  app.addHook('onRequest', refuseStrangers(faultOfClient));
  app.post('/mutate', async (request, reply) => {
    const answer = await respond(Buffer.isBuffer(request.body) ? request.body : undefined, request.arrivedAt);
    if (draining()) reply.header('connection', 'close');
    return reply.type(JSON_TYPE).send(answer);
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
  app.addContentTypeParser('application/json', ({ raw }, payload, done) => {
    const read = whatWasRead(raw);
    if (read) done(read.error, read.body);
    else readBody(payload, BODY_LIMIT, done);
  });
}

class MethodNotAllowed extends Error {
  readonly statusCode = 405;
}

function refuseMethod(_request: FastifyRequest, reply: FastifyReply): never {
  reply.header('allow', 'POST');
  throw new MethodNotAllowed('POST an AdmissionReview to /mutate');
}
