/**
 * The route POST /mutate. Its steps, each one function: readBody > decodeReview > readPod > remembered(decide >
 * patchFor > encodeResponse) > addUid > send.
 */
import type { FastifyPluginCallback, FastifyRequest } from 'fastify';
import type { AddressList } from '../http/address-list.ts';
import { ALLOWED_AS_IT_IS } from './admission-review.ts';
import { admissionRoute, type AdmissionRouteOptions } from './admission-route.ts';
import { Answering, type AnswerOptions, type Caller } from './answer.ts';

export interface MutateOptions extends AnswerOptions, AdmissionRouteOptions {
  /** The addresses of the API servers, if they are known. */
  readonly apiServers: AddressList;
}

export const mutate: FastifyPluginCallback<MutateOptions> = (app, options, done) => {
  const answering = new Answering(options);
  admissionRoute(app, '/mutate', options, options.metrics.requestSeconds, (review, request) => {
    switch (review.target) {
      case 'pod':
        return answering.answerPod(review);
      case 'binding':
        return answering.answerBinding(review, callerOf(request, options));
      case 'other':
        return ALLOWED_AS_IT_IS;
    }
  });
  done();
};

function callerOf({ ip }: FastifyRequest, { clients, apiServers }: MutateOptions): Caller {
  // With certificates only API servers come as far as here.
  if (clients !== undefined || apiServers.has(ip)) return 'API server';
  return apiServers.isEmpty ? 'anybody' : 'stranger';
}
