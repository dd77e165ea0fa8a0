/** Sends one request byte for byte, for tests that look at more of HTTP than the answer. */
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
  /** Of the client's side, which tells one connection from another. */
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
 * The same in pieces: chunked, unless the headers give the length.
 * @param pause what to wait for once the piece before is on its way
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
