/**
 * Serves the API of a simulated region over HTTP, as `imc simulate-eci --api` does. It checks the caller's signature and
 * clock as Alibaba Cloud does (RPC style, signature version 3), so that a client with wrong credentials fails here too.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '../core/kubernetes/json.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { parseTime } from '../core/kubernetes/time.ts';
import type { Region } from '../core/simulation/region.ts';
import { answerCall, RpcError } from '../core/simulation/rpc.ts';

export interface StandInOptions {
  /** 0: any free port. The server listens on the loopback interface only. */
  readonly port: number;
  /** The one key that is accepted. */
  readonly accessKey: { readonly id: string; readonly secret: string };
  /** Further calls within the same minute are throttled. */
  readonly callsPerMinute: number;
  readonly now: () => number;
  /** Called with each call, before it is answered: an error that it throws is the answer. For tests. */
  readonly onCall?: (action: string) => void;
}

export interface StandIn {
  /** `127.0.0.1:12345` */
  readonly endpoint: string;
  readonly stop: () => Promise<void>;
}

/** Characters: 100 images in a call are long. */
const MAX_REQUEST = 131_072;
const MINUTE = 60_000;
/** How far the clocks of a caller and of Alibaba Cloud may differ, in milliseconds. */
const MAX_SKEW = 15 * MINUTE;

/** @throws if the port is taken */
export async function startStandIn(region: Region, options: StandInOptions): Promise<StandIn> {
  const budget = new CallBudget(options.callsPerMinute);
  const server = createServer({ maxHeaderSize: MAX_REQUEST, requestTimeout: 10_000 }, (request, response) => {
    answer(request, region, budget, options).then(
      (body) => send(response, 200, body),
      (error: unknown) => {
        const { status, code } =
          error instanceof RpcError ? error : { status: 500, code: 'InternalError' as const };
        send(response, status, { Code: code, Message: messageOf(error) });
      },
    );
  });
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(options.port, '127.0.0.1', listening.resolve);
  await listening.promise;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server has an address of this type
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `127.0.0.1:${port}`,
    stop: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

async function answer(
  request: IncomingMessage,
  region: Region,
  budget: CallBudget,
  options: StandInOptions,
): Promise<JsonObject> {
  const body = await readBody(request);
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const action = headerOf(request, 'x-acs-action');
  const version = headerOf(request, 'x-acs-version');
  const now = options.now();
  options.onCall?.(action);
  checkCaller(request, searchParams, body, options.accessKey, now);
  budget.take(now);
  const form = new URLSearchParams(body);
  return answerCall(
    new Map([...searchParams, ...form, ['Action', action], ['Version', version]]),
    region,
    now,
  );
}

async function readBody(request: IncomingMessage): Promise<string> {
  request.setEncoding('utf8');
  let body = '';
  for await (const text of request) {
    body += String(text);
    if (body.length > MAX_REQUEST)
      throw new RpcError(413, 'RequestTooLarge', `at most ${MAX_REQUEST} characters`);
  }
  return body;
}

/** @throws RpcError with the codes of Alibaba Cloud's API */
function checkCaller(
  request: IncomingMessage,
  query: URLSearchParams,
  body: string,
  accessKey: StandInOptions['accessKey'],
  now: number,
): void {
  const skew = Math.abs((parseTime(headerOf(request, 'x-acs-date')) ?? 0) - now);
  if (skew > MAX_SKEW)
    throw new RpcError(
      400,
      'InvalidTimeStamp.Expired',
      'the time stamp differs from the clock of the server',
    );
  const authorization = headerOf(request, 'authorization');
  const [, id = '', names = '', signature = ''] = AUTHORIZATION.exec(authorization) ?? [];
  if (id !== accessKey.id)
    throw new RpcError(404, 'InvalidAccessKeyId.NotFound', 'the access key does not exist');
  const expected = signatureOf(request, query, body, names.split(';'), accessKey.secret);
  if (signature.length !== expected.length || !timingSafeEqual(Buffer.from(signature), Buffer.from(expected)))
    throw new RpcError(400, 'SignatureDoesNotMatch', 'the signature is not that of the access key');
}

const ALGORITHM = 'ACS3-HMAC-SHA256';
const AUTHORIZATION = new RegExp(
  `^${ALGORITHM} Credential=([^,]{1,128}),SignedHeaders=([^,]{1,512}),Signature=([0-9a-f]{64})$`,
);

/** The signature of Alibaba Cloud's API, version 3: over the method, the path, the query, the signed headers and the body. */
function signatureOf(
  request: IncomingMessage,
  query: URLSearchParams,
  body: string,
  signed: readonly string[],
  secret: string,
): string {
  const parameters = [...query]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${encode(value)}`)
    .join('&');
  const headers = signed.map((name) => `${name}:${headerOf(request, name).trim()}\n`).join('');
  const canonical = [request.method, '/', parameters, headers, signed.join(';'), sha256(body)].join('\n');
  return createHmac('sha256', secret)
    .update(`${ALGORITHM}\n${sha256(canonical)}`)
    .digest('hex');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function headerOf({ headers }: IncomingMessage, name: string): string {
  return [headers[name] ?? ''].flat().join(',');
}

/** RFC 3986, stricter than encodeURIComponent. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

class CallBudget {
  readonly #perMinute: number;
  #minute = 0;
  #calls = 0;

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** @throws RpcError if this minute's calls are used up */
  take(now: number): void {
    const minute = Math.floor(now / MINUTE);
    if (minute !== this.#minute) this.#calls = 0;
    this.#minute = minute;
    this.#calls += 1;
    if (this.#calls > this.#perMinute)
      throw new RpcError(400, 'Throttling.User', 'too many calls in this minute');
  }
}

function send(response: ServerResponse, status: number, body: JsonObject): void {
  const requestId = crypto.randomUUID().toUpperCase();
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ RequestId: requestId, ...body }));
}
