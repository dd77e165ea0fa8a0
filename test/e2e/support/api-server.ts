/** A client of the API server for tests, which uses none of the code under test. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';
import { eventually } from '../../support/eventually.ts';
import type { Json } from '../../support/objects.ts';
import { sendHttps, type HttpsAnswer } from '../../support/https.ts';

export class ApiServer {
  readonly #url: string;
  readonly #ca: string;
  readonly #token: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(url: string, ca: string, token: string) {
    this.#url = url;
    this.#ca = ca;
    this.#token = token;
  }

  /** Sends a request. @returns the answer, whatever its status */
  send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpsAnswer> {
    return sendHttps(
      this.#url + path,
      {
        method,
        ca: this.#ca,
        agent: this.#agent,
        headers: { authorization: `Bearer ${this.#token}`, ...headers },
      },
      body === undefined ? undefined : JSON.stringify(body),
    );
  }

  /** Sends a request. @returns the object of a successful answer @throws Error with the API server's message */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Json> {
    const { status, body: text } = await this.send(method, path, body, headers);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return JSON.parse(text) as Json;
  }

  get(path: string): Promise<Json> {
    return this.call('GET', path);
  }

  async list(path: string): Promise<Json[]> {
    return (await this.get(path))['items'] as Json[];
  }

  /** Watches a path. @returns a function that ends the watch */
  async watch(path: string, onEvent: (event: Json) => void): Promise<() => void> {
    const headers = { authorization: `Bearer ${this.#token}` };
    const sent = request(`${this.#url}${path}?watch=true`, { ca: this.#ca, headers });
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const lines = createInterface({ input: answer });
    lines.on('line', (line) => onEvent(JSON.parse(line) as Json));
    // The connection is cut when the watch is ended, which is an error here.
    lines.on('error', () => undefined);
    return () => void sent.destroy();
  }

  /** A list in the Table form that kubectl prints. */
  table(path: string): Promise<HttpsAnswer> {
    return this.send('GET', path, undefined, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
  }

  /** Waits until pods can be created: controllers have made the default ServiceAccount of the namespace. */
  async untilPodsCanBeCreated(namespace: string): Promise<void> {
    const pod = { metadata: { name: 'first' }, spec: { containers: [{ name: 'c', image: 'c' }] } };
    await eventually(() => this.create(`/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod), 30_000);
  }

  create(path: string, object: unknown): Promise<Json> {
    return this.call('POST', path, object);
  }

  merge(path: string, change: unknown): Promise<Json> {
    return this.call('PATCH', path, change, { 'content-type': 'application/merge-patch+json' });
  }

  /** Deletes an object at once, without a grace period, if there is one. */
  async remove(path: string): Promise<void> {
    const { status, body } = await this.send('DELETE', `${path}?gracePeriodSeconds=0`);
    if (status >= 300 && status !== 404) throw new Error(`DELETE ${path}: ${status} ${body}`);
  }
}
