/** Owns a review as one line: bytes → review → answer → bytes; each arrow is one function elsewhere. */
import { ALLOWED_AS_IT_IS, decodeReview, encodeReview, type EncodedAnswer } from './admission-review.ts';
import { answerBinding, answerPod, type AnswerOptions } from './answer.ts';
import { RecentDecisions } from './recent-decisions.ts';

/**
 * @param body undefined where the request had none
 * @param arrivedAt when its headers had come, by performance.now()
 * @returns JSON; for a pod at once, because to wait for it would cost every pod of the cluster a turn of the event loop
 * @throws MalformedReview
 */
export type Respond = (body: Buffer | undefined, arrivedAt: number) => string | Promise<string>;

/** With the parameter, which Fastify would otherwise add to each answer. */
export const JSON_TYPE = 'application/json; charset=utf-8';

export function buildRespond(options: AnswerOptions): Respond {
  const recent = new RecentDecisions(options.view, options.config);
  const answered = options.metrics.requestSeconds.at({ status: 200 });
  return (body, arrivedAt) => {
    const review = decodeReview(body);
    const encode = (answer: EncodedAnswer): string => {
      answered.observe((performance.now() - arrivedAt) / 1000);
      return encodeReview(review, answer);
    };
    switch (review.subject) {
      case 'pod':
        return encode(answerPod(review, recent, options));
      case 'binding':
        return answerBinding(review, options).then(encode);
      case 'other':
        return encode(ALLOWED_AS_IT_IS);
    }
  };
}
