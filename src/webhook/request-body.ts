/**
 * Reads the body of a request, up to a limit. Fastify's own reader copies each body once more, into newly allocated
 * memory, which took a fifteenth of the webhook's throughput (docs/performance.md).
 */
import type { IncomingMessage } from 'node:http';
import { errorCodes } from 'fastify';
import type { BodyAccount } from './body-budget.ts';

/** Bytes: room for two objects of 3 MiB, the most that kube-apiserver accepts, and for the review around them. */
export const BODY_LIMIT = 8 * 2 ** 20;

class BodyCutOff extends Error {
  readonly statusCode = 400;
}

/** Answered with 429: the address has too much memory of ours already; the API server tries again, or goes on without. */
export class TooMuchAtOnce extends Error {
  readonly statusCode = 429;

  constructor() {
    super('the bodies of this client take too much memory at the moment');
  }
}

/**
 * @param limit bytes
 * @param account counts what is received; closed if the body does not arrive
 * @param done called once: with the body, or with an error that has a statusCode: 413 beyond the limit, 400 if the
 * client left
 */
export function readBody(
  payload: IncomingMessage,
  limit: number,
  account: BodyAccount,
  done: (error: Error | null, body?: Buffer) => void,
): void {
  const chunks: Buffer[] = [];
  let received = 0;
  let isFinished = false;
  const finish = (error: Error | null, body?: Buffer): void => {
    // Removing the listeners would cost time; keeping them does not.
    if (isFinished) return;
    isFinished = true;
    if (error) {
      chunks.length = 0;
      account.close();
    }
    done(error, body);
  };
  const take = (chunk: Buffer): void => {
    if (isFinished) return;
    received += chunk.length;
    if (received > limit) finish(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
    else if (account.receive(chunk.length)) chunks.push(chunk);
    else finish(new TooMuchAtOnce());
  };
  const end = (): void => finish(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
  const fail = ({ message }: Error): void => finish(new BodyCutOff(`the body ended early: ${message}`));

  if (Number(payload.headers['content-length']) > limit) done(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
  else payload.on('data', take).on('end', end).on('error', fail);
}
