/** An API server over real HTTP that answers as a test says, and records the requests. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { ApiClient } from '../../src/sources/kubernetes/api-client.ts';
import { eventually } from './eventually.ts';
import type { Json } from './objects.ts';

export interface ApiCall {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: Json | undefined;
}

/** A watch that was accepted and is open. */
export interface OpenWatch {
  readonly call: ApiCall;
  readonly send: (type: string, object: Json) => void;
  /** Writes the text unchanged, also if it is no event. */
  readonly write: (text: string) => void;
  /** Ends the watch as an API server does when the watch's time is over. */
  readonly end: () => void;
  /** Breaks the connection. */
  readonly destroy: () => void;
  readonly isOpen: () => boolean;
}

/** `silent`: the request is received, and never answered. */
export type ApiAnswer =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | 'watch'
  | 'silent';

export class ScriptedApi implements AsyncDisposable {
  readonly calls: ApiCall[] = [];
  readonly watches: OpenWatch[] = [];
  /** Gives the answers to the next requests. */
  answer: (call: ApiCall) => ApiAnswer;
  token = 'first';
  readonly #server: Server;

  private constructor(answer: (call: ApiCall) => ApiAnswer) {
    this.answer = answer;
    this.#server = createServer((request, response) => void this.#take(request, response));
  }

  static async start(answer: (call: ApiCall) => ApiAnswer): Promise<ScriptedApi> {
    const api = new ScriptedApi(answer);
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A client that reads the current `token` whenever it loads its credentials. */
  client(): ApiClient {
    return new ApiClient(() => {
      const config = new KubeConfig();
      config.loadFromOptions({
        clusters: [{ name: 'c', server: this.url, skipTLSVerify: true }],
        users: [{ name: 'u', token: this.token }],
        contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
        currentContext: 'x',
      });
      return config;
    });
  }

  /** Waits for the nth accepted watch, counted from 1. */
  watch(nth: number): Promise<OpenWatch> {
    return eventually(() => {
      const watch = this.watches[nth - 1];
      if (!watch) throw new Error(`only ${this.watches.length} watches were opened`);
      return watch;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    const call: ApiCall = {
      method: request.method ?? '',
      path: pathname,
      query: Object.fromEntries(searchParams),
      authorization: request.headers.authorization,
      contentType: request.headers['content-type'],
      body: request.headers['content-length'] === undefined ? undefined : ((await json(request)) as Json),
    };
    this.calls.push(call);
    const answer = this.answer(call);
    if (answer === 'silent') return;
    if (answer === 'watch') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      this.watches.push({
        call,
        send: (type, object) => response.write(`${JSON.stringify({ type, object })}\n`),
        write: (text) => response.write(text),
        end: () => response.end(),
        destroy: () => response.destroy(),
        isOpen: () => !response.closed,
      });
      return;
    }
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}));
  }
}

/** A list as an API server sends it. */
export function listOf(resourceVersion: string, items: readonly Json[], next?: string): ApiAnswer {
  const metadata = { resourceVersion, ...(next !== undefined && { continue: next }) };
  return { status: 200, body: { kind: 'List', apiVersion: 'v1', metadata, items } };
}

export function failure(status: number, message: string, headers = {}): ApiAnswer {
  return { status, body: { kind: 'Status', status: 'Failure', message, code: status }, headers };
}
