/**
 * Owns POST /mutate. One request is one line: bytes → review → pod → decision → patch → review; each arrow is one
 * function elsewhere. A fault of ours lets the pod through as it is.
 */
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { decideOnJson } from '../core/decide.ts';
import type { DecisionConfig } from '../core/config.ts';
import { explain, type Explanation } from '../core/explain.ts';
import type { View } from '../core/view.ts';
import type { Metrics } from '../metrics/metrics.ts';
import {
  ALLOWED_AS_IT_IS,
  decodeReview,
  encodeReview,
  type Review,
  type ReviewAnswer,
} from './admission-review.ts';

export interface MutateOptions {
  readonly view: View;
  readonly config: DecisionConfig;
  readonly metrics: Metrics;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What kube-apiserver may send at most (3 MiB for an object, twice, and room), and what a body may have. */
const BODY_LIMIT = 8 * 2 ** 20;

export const mutate: FastifyPluginCallback<MutateOptions> = (app, options, done) => {
  acceptJsonBytes(app);
  app.post('/mutate', { bodyLimit: BODY_LIMIT }, (request, reply) => {
    const review = decodeReview(Buffer.isBuffer(request.body) ? request.body : undefined);
    void reply.type('application/json').send(encodeReview(review, answer(review, request, options)));
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

function answer(review: Review, { log }: FastifyRequest, options: MutateOptions): ReviewAnswer {
  const { view, config, metrics, now } = options;
  if (!review.isPodCreation) return ALLOWED_AS_IT_IS;
  try {
    const started = performance.now();
    const { seen, decision } = decideOnJson(review.object, review.namespace, view, config, now());
    const explanation = explain(decision, seen);
    if (!review.dryRun) record(explanation, metrics, (performance.now() - started) / 1000);
    log.debug(
      { uid: review.uid, namespace: review.namespace, dryRun: review.dryRun, explanation },
      'decided',
    );
    return toAnswer(explanation);
  } catch (error) {
    metrics.internalErrors.inc();
    log.error({ err: error, uid: review.uid }, 'the webhook failed; the pod is let through as it is');
    return ALLOWED_AS_IT_IS;
  }
}

function record(
  { outcome, reason, refused, warnings }: Explanation,
  metrics: Metrics,
  seconds: number,
): void {
  metrics.decisions.inc({ outcome, reason });
  metrics.decisionSeconds.observe(seconds);
  if (warnings.length > 0) metrics.warnings.inc(warnings.length);
  for (const [filter, count] of Object.entries(refused)) metrics.refusals.inc({ filter }, count);
}

/** Pods that are not ours leave no trace in the audit log either. */
function toAnswer({ outcome, reason, why, cacheId, patch, warnings }: Explanation): ReviewAnswer {
  return {
    ...(outcome === 'denied' && { denial: { code: 422, reason, message: why } }),
    patch,
    warnings,
    auditAnnotations:
      reason === 'NotForEci' ? {} : { outcome, reason, ...(cacheId !== null && { 'image-cache': cacheId }) },
  };
}
