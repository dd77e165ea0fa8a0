/** Owns POST /mutate. One request is one line: bytes → review → answer → bytes; each arrow is one function elsewhere. */
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { ALLOWED_AS_IT_IS, decodeReview, encodeReview, type EncodedAnswer } from './admission-review.ts';
import { RecentDecisions } from './recent-decisions.ts';
import { answerBinding, answerPod, type AnswerOptions } from './answer.ts';

/** What kube-apiserver may send at most (3 MiB for an object, twice, and room), and what a body may have. */
const BODY_LIMIT = 8 * 2 ** 20;

export const mutate: FastifyPluginCallback<AnswerOptions> = (app, options, done) => {
  acceptJsonBytes(app);
  const recent = new RecentDecisions(options.view, options.config);
  app.post('/mutate', { bodyLimit: BODY_LIMIT }, (request, reply) => {
    const review = decodeReview(Buffer.isBuffer(request.body) ? request.body : undefined);
    const send = (answer: EncodedAnswer): FastifyReply =>
      reply.type('application/json').send(encodeReview(review, answer));
    switch (review.subject) {
      case 'pod':
        // Not awaited: that would cost every pod of the cluster a turn of the event loop.
        send(answerPod(review, recent, options, request.log));
        return undefined;
      case 'binding':
        return answerBinding(review, options, request.log).then(send);
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
  app.addHook('onResponse', (_request, reply, next) => {
    options.metrics.requestSeconds.observe({ status: reply.statusCode }, reply.elapsedTime / 1000);
    next();
  });
  done();
};

/** The body stays bytes: the codec reads it, strictly, and no other content type is one. */
function acceptJsonBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, parsed) => {
    parsed(null, body);
  });
}

function refuseMethod(_request: FastifyRequest, reply: FastifyReply): void {
  void reply.code(405).header('allow', 'POST').send({
    statusCode: 405,
    error: 'Method Not Allowed',
    message: 'POST an AdmissionReview to /mutate',
  });
}
