/**
 * HTTP to the API server: its address and our credentials (a kubeconfig, or the service account of our pod), one
 * request with its deadline, and the meaning of an unsuccessful response. Knows nothing of lists and watches.
 */
import { once } from 'node:events';
import {
  Agent as HttpAgent,
  request as requestHttp,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { Agent, request as requestHttps, type RequestOptions } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { isObject, readText } from '../../core/kubernetes/json.ts';

/** An unsuccessful response of the API server. */
export class ApiError extends Error {
  /** HTTP status. */
  readonly status: number;
  /** How long the server asks us to wait, in milliseconds; undefined if it does not say. */
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
  /** GET unless given. */
  readonly method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: unknown;
  /** The type of the body; `json` unless given. */
  readonly contentType?: 'merge-patch+json' | 'strategic-merge-patch+json';
  /** Milliseconds in which the response (of a stream: its headers) must be read; ten seconds unless given. */
  readonly timeout?: number;
  readonly signal: AbortSignal;
}

/** Milliseconds for a call whose answer is not urgent. */
const CALL_TIMEOUT = 10_000;

/** Milliseconds after which an idle connection is closed: a proxy in between may have dropped it without notice. */
const IDLE_TIMEOUT = 30_000;
/** Connections for calls, and for watches, each of which keeps one; what is beyond waits for a free connection. */
const MAX_SOCKETS = { call: 20, watch: 550 } as const;
/** Bytes of an error's body that are read; a Status object is much smaller. */
const MAX_ERROR_BYTES = 16_384;

type Purpose = keyof typeof MAX_SOCKETS;

export class ApiClient {
  readonly #load: () => KubeConfig;
  #config: KubeConfig | undefined;
  #agents: { readonly madeOf: string; readonly call: Agent; readonly watch: Agent } | undefined;
  readonly #plainAgents = { call: plainAgent('call'), watch: plainAgent('watch') };

  /**
   * @param load reads the credentials; called again after a failure, because they may have been renewed
   * @throws what `load` throws
   */
  constructor(load: () => KubeConfig) {
    this.#load = load;
    this.#config = load();
  }

  /** The JSON of a response. @throws as `read` does */
  json(request: ApiRequest): Promise<unknown> {
    return this.read(request, async (answer) => JSON.parse((await buffer(answer)).toString('utf8')));
  }

  /**
   * The response as a stream, as soon as its headers have arrived. The caller must read or destroy the stream.
   * @throws as `read` does
   */
  stream(request: ApiRequest): Promise<IncomingMessage> {
    return this.#exchange(request, 'watch', (answer) => Promise.resolve(answer));
  }

  /**
   * Sends a request and passes the response to `use`, which must finish before the deadline.
   * @throws ApiError; Error if there is no response, or none in time; what `use` throws
   */
  read<T>(request: ApiRequest, use: (answer: IncomingMessage) => Promise<T>): Promise<T> {
    return this.#exchange(request, 'call', use);
  }

  async #exchange<T>(
    request: ApiRequest,
    purpose: Purpose,
    use: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const { signal, timeout = CALL_TIMEOUT } = request;
    const deadline = new AbortController();
    const abort = (): void => deadline.abort();
    const timer = setTimeout(abort, timeout);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    try {
      const answer = await this.#send(request, purpose, deadline.signal);
      if (isSuccess(answer)) return await use(answer);
      throw await readError(answer);
    } catch (error) {
      // The cause may be that our credentials, or the CA that we trust, were renewed: the next request reads them anew.
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
    purpose: Purpose,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    this.#config ??= this.#load();
    const config = this.#config;
    const headers: OutgoingHttpHeaders = { accept: 'application/json', 'user-agent': 'imagecache-webhook' };
    const credentials: RequestOptions = { headers };
    // applyToHTTPSOptions may run a credential plugin, which does not know our deadline.
    await Promise.race([config.applyToHTTPSOptions(credentials), whenAborted(signal)]);
    const url = new URL((config.getCurrentCluster()?.server ?? '') + path);
    for (const [key, value] of Object.entries(query ?? {}))
      if (value !== undefined) url.searchParams.set(key, value);

    const json = body === undefined ? undefined : JSON.stringify(body);
    if (json !== undefined) {
      headers['content-type'] = `application/${contentType ?? 'json'}`;
      // Node sends no length for the body of a DELETE, and a server would take the body for the next request.
      headers['content-length'] = Buffer.byteLength(json);
    }
    const isTls = url.protocol === 'https:';
    const options: RequestOptions = {
      ...credentials,
      agent: isTls ? this.#agentFor(config, credentials, purpose) : this.#plainAgents[purpose],
      signal,
      method: method ?? 'GET',
    };
    return new Promise((resolve, reject) => {
      const sent = isTls ? requestHttps(url, options, resolve) : requestHttp(url, options, resolve);
      sent.on('error', reject);
      sent.end(json);
    });
  }

  /** An agent that keeps its connections open, unlike client-node's own agent, which is used only behind a proxy. */
  #agentFor(config: KubeConfig, credentials: RequestOptions, purpose: Purpose): RequestOptions['agent'] {
    if (config.getCurrentCluster()?.proxyUrl !== undefined) return credentials.agent;
    const { ca, cert, key, rejectUnauthorized, servername } = credentials;
    const madeOf = [ca, cert, key, rejectUnauthorized, servername].map(String).join('\n');
    if (this.#agents?.madeOf !== madeOf) {
      const common = {
        keepAlive: true,
        timeout: IDLE_TIMEOUT,
        ca,
        cert,
        key,
        rejectUnauthorized,
        servername,
      };
      this.#agents = {
        madeOf,
        call: new Agent({ ...common, maxSockets: MAX_SOCKETS.call }),
        watch: new Agent({ ...common, maxSockets: MAX_SOCKETS.watch }),
      };
    }
    return this.#agents[purpose];
  }
}

function plainAgent(purpose: Purpose): HttpAgent {
  return new HttpAgent({ keepAlive: true, timeout: IDLE_TIMEOUT, maxSockets: MAX_SOCKETS[purpose] });
}

async function whenAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('aborted while the credentials were read');
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

/** Reads the Status object that the API server sent, or the text that a proxy in between sent instead. */
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
    // The text is no Status object, so it becomes the message itself.
  }
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

/** @param value seconds, or a date (RFC 9110, section 10.2.3) */
function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}
