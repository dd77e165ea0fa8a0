/** Bodies as networks deliver them: in pieces, without a length, and cut off. */
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { cacheObject, podObject } from '../support/objects.ts';
import { CA, runWebhook, temporaryFolder, type RunningWebhook } from '../support/webhook.ts';

const folder = temporaryFolder({ 'cache.json': cacheObject({ name: 'x' }) });
let webhook: RunningWebhook;
beforeAll(async () => {
  webhook = await runWebhook(folder.path);
  await webhook.synced;
});
afterAll(async () => {
  await webhook.stop();
  folder.remove();
});

/** Sends pieces with pauses between them, and so in chunked encoding. */
async function sendInPieces(pieces: readonly Buffer[]): Promise<{ status: number; body: string }> {
  const answered = Promise.withResolvers<{ status: number; body: string }>();
  const sent = request(
    `${webhook.address}/mutate`,
    { method: 'POST', ca: CA, agent: false, headers: { 'content-type': 'application/json' } },
    (answer) => {
      let body = '';
      answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
      answer.on('end', () => answered.resolve({ status: answer.statusCode ?? 0, body }));
    },
  );
  sent.on('error', answered.reject);
  for (const piece of pieces) {
    sent.write(piece);
    await sleep(5);
  }
  sent.end();
  return answered.promise;
}

const REVIEW = Buffer.from(
  JSON.stringify(admissionReview(podObject({ annotations: { name: 'Zürich 😀' } }))),
);

describe('a body', () => {
  it('is read whole in whatever pieces it comes, be they halves of a letter', async () => {
    const pieces = Array.from({ length: Math.ceil(REVIEW.length / 7) }, (_, i) =>
      REVIEW.subarray(i * 7, (i + 1) * 7),
    );
    const { status, body } = await sendInPieces(pieces);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ response: { allowed: true } });
  });

  it('of unknown length is refused as soon as it is more than 8 MiB', async () => {
    const piece = Buffer.alloc(2 ** 20, ' ');
    // The connection may be closed before all is sent.
    const { status } = await sendInPieces(Array.from({ length: 10 }, () => piece)).catch(() => ({
      status: 413,
    }));
    expect(status).toBe(413);
    expect(webhook.logged).toContainEqual(expect.objectContaining({ statusCode: 413 }));
  });

  it('whose client leaves half-way is noted as its fault, and nobody else is troubled', async () => {
    const sent = request(`${webhook.address}/mutate`, {
      method: 'POST',
      ca: CA,
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': REVIEW.length },
    });
    sent.on('error', () => undefined);
    sent.write(REVIEW.subarray(0, 100));
    await sleep(100);
    sent.destroy();
    await vi.waitFor(() =>
      expect(webhook.logged).toContainEqual(
        expect.objectContaining({ statusCode: 400, msg: expect.stringContaining('the body ended early') }),
      ),
    );
    expect((await sendInPieces([REVIEW])).status).toBe(200);
  });
});
