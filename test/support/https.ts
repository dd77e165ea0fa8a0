/** Sends one request, for tests that check headers and connections, or that send a body in pieces. */
import type { ClientRequest } from 'node:http';
import { request, type RequestOptions } from 'node:https';

export interface HttpsOptions extends Pick<
  RequestOptions,
  'agent' | 'ca' | 'cert' | 'key' | 'method' | 'rejectUnauthorized'
> {
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpsAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The client's port, which distinguishes connections. */
  readonly localPort: number | undefined;
}

/** The content type is JSON unless the headers say otherwise. */
export function sendHttps(
  url: string,
  options: HttpsOptions,
  body?: string | Uint8Array,
): Promise<HttpsAnswer> {
  return exchange(url, options, (sent) => sent.end(body));
}

/**
 * Sends the body in pieces, in chunked encoding unless the headers give the length.
 * @param pause what to wait for before every piece but the first
 */
export function sendInPieces(
  url: string,
  options: HttpsOptions,
  pieces: readonly (string | Uint8Array)[],
  pause: () => Promise<unknown>,
): Promise<HttpsAnswer> {
  return exchange(url, options, async (sent) => {
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) await pause();
      await new Promise((written) => sent.write(piece, written));
    }
    sent.end();
  });
}

function exchange(
  url: string,
  options: HttpsOptions,
  send: (sent: ClientRequest) => unknown,
): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...options.headers };
    const sent = request(url, { ...options, headers }, (answer) => {
      const { localPort } = answer.socket;
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          body: Buffer.concat(chunks).toString(),
          headers: answer.headers,
          localPort,
        }),
      );
    });
    sent.on('error', reject);
    void send(sent);
  });
}
