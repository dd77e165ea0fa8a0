/**
 * Owns HTTP to the API server: where it is and as whom we speak (a kubeconfig, or the service account of our pod), one
 * request with its deadline, and what an answer means that is no success. Knows nothing of lists and watches.
 */
import { once } from 'node:events';
import { request as requestHttp, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent, request as requestHttps, type RequestOptions } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { KubeConfig } from '@kubernetes/client-node';
import { isObject, readText } from '../../core/kubernetes/json.ts';

/** An answer of the API server that is no success. */
export class ApiError extends Error {
  /** HTTP status. */
  readonly status: number;
  /** Milliseconds that the server asks us to wait; undefined where it does not say. */
  readonly retryAfter: number | undefined;

  constructor(status: number, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export interface ApiRequest {
  readonly path: string;
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** GET where none is given. */
  readonly method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of the body: `json` unless given. */
  readonly contentType?: 'merge-patch+json' | 'strategic-merge-patch+json';
  /** Milliseconds for the answer to be read, for its head where it is a stream; ten seconds unless given. */
  readonly timeout?: number;
  readonly signal: AbortSignal;
}

/** Milliseconds for a call that nobody waits for in a hurry. */
const CALL_TIMEOUT = 10_000;

/** Milliseconds after which an idle connection is closed: what stands between may have forgotten it, and says nothing. */
const IDLE_TIMEOUT = 30_000;
/** Kept of an error's body; a Status object is much smaller. */
const MAX_ERROR_BYTES = 16_384;

export class ApiClient {
  readonly #load: () => KubeConfig;
  #config: KubeConfig | undefined;
  #agent: { readonly madeOf: string; readonly agent: Agent } | undefined;

  /**
   * @param load reads the credentials; called again after each failure, as they may have been renewed meanwhile
   * @throws what `load` throws
   */
  constructor(load: () => KubeConfig) {
    this.#load = load;
    this.#config = load();
  }

  /** The JSON of an answer. @throws as `read` does */
  json(request: ApiRequest): Promise<unknown> {
    return this.read(request, async (answer) => JSON.parse((await buffer(answer)).toString('utf8')));
  }

  /**
   * The answer as it comes. Once its head is here its life is the caller's, who reads or destroys it.
   * @throws as `read` does
   */
  stream(request: ApiRequest): Promise<IncomingMessage> {
    return this.read(request, (answer) => Promise.resolve(answer));
  }

  /**
   * What is made of an answer; all of it has to be done in time.
   * @throws ApiError; Error where there is no answer, or none in time; what `use` throws
   */
  async read<T>(request: ApiRequest, use: (answer: IncomingMessage) => Promise<T>): Promise<T> {
    const { signal, timeout = CALL_TIMEOUT } = request;
    const deadline = new AbortController();
    const abort = (): void => deadline.abort();
    const timer = setTimeout(abort, timeout);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    try {
      const answer = await this.#send(request, deadline.signal);
      if (isSuccess(answer)) return await use(answer);
      throw await readError(answer);
    } catch (error) {
      // What was refused may be our credentials or the CA that we know, and both are renewed while we run.
      if (!(error instanceof ApiError) || error.status === 401) this.#config = undefined;
      if (deadline.signal.aborted && !signal.aborted)
        throw new Error(`no answer within ${timeout} ms`, { cause: error });
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  async #send(
    { path, query, method, body, contentType }: ApiRequest,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    this.#config ??= this.#load();
    const config = this.#config;
    const headers: OutgoingHttpHeaders = { accept: 'application/json', 'user-agent': 'imagecache-webhook' };
    const credentials: RequestOptions = { headers };
    // May run a credential plugin, which knows nothing of our deadline.
    await Promise.race([config.applyToHTTPSOptions(credentials), whenAborted(signal)]);
    const url = new URL((config.getCurrentCluster()?.server ?? '') + path);
    for (const [key, value] of Object.entries(query ?? {}))
      if (value !== undefined) url.searchParams.set(key, value);

    const json = body === undefined ? undefined : JSON.stringify(body);
    if (json !== undefined) {
      headers['content-type'] = `application/${contentType ?? 'json'}`;
      // Node says nothing of the body of a DELETE, which would then be taken for the beginning of the next request.
      headers['content-length'] = Buffer.byteLength(json);
    }
    const isTls = url.protocol === 'https:';
    const options: RequestOptions = {
      ...credentials,
      ...(isTls && { agent: this.#agentFor(config, credentials) }),
      signal,
      method: method ?? 'GET',
    };
    return new Promise((resolve, reject) => {
      const sent = isTls ? requestHttps(url, options, resolve) : requestHttp(url, options, resolve);
      sent.on('error', reject);
      sent.end(json);
    });
  }

  /** One that keeps its connections, which client-node's own does not; a proxy's has to be client-node's. */
  #agentFor(config: KubeConfig, credentials: RequestOptions): RequestOptions['agent'] {
    if (config.getCurrentCluster()?.proxyUrl !== undefined) return credentials.agent;
    const { ca, cert, key, rejectUnauthorized, servername } = credentials;
    const madeOf = [ca, cert, key, rejectUnauthorized, servername].map(String).join('\n');
    if (this.#agent?.madeOf !== madeOf) {
      const agent = new Agent({
        keepAlive: true,
        timeout: IDLE_TIMEOUT,
        ca,
        cert,
        key,
        rejectUnauthorized,
        servername,
      });
      this.#agent = { madeOf, agent };
    }
    return this.#agent.agent;
  }
}

async function whenAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('aborted while the credentials were read');
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

/** Reads the Status that the API server gives, or whatever something on the way to it gave instead. */
async function readError(answer: IncomingMessage): Promise<ApiError> {
  const status = answer.statusCode ?? 0;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_ERROR_BYTES) break;
  }
  const text = Buffer.concat(chunks).toString('utf8').trim();
  return new ApiError(
    status,
    `HTTP ${status}: ${messageIn(text)}`,
    readRetryAfter(answer.headers['retry-after']),
  );
}

function messageIn(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const message = isObject(value) ? readText(value['message']) : undefined;
    if (message !== undefined) return message;
  } catch {
    // Not a Status; its text says most.
  }
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

/** @param value seconds, or a date (RFC 9110, section 10.2.3) */
function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}
