/**
 * A proxy before the API server, which imitates the faults of networks and servers: it refuses connections, hangs,
 * answers with errors, cuts connections, and garbles watches.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as requestHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createAuthority, issueServingCertificate } from '../../../src/tls/authority.ts';

/** Handles a request instead of the API server; undefined passes the request on. */
export type Fault = (request: SeenRequest, answer: ServerResponse) => 'handled' | undefined;

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly at: number;
  readonly isWatch: boolean;
}

export interface FaultyProxy extends AsyncDisposable {
  readonly url: string;
  readonly ca: string;
  /** All requests, in order. */
  readonly seen: SeenRequest[];
  /** Handles all requests from now on, if it is set. */
  fault: Fault | undefined;
  /**
   * Handles a request after the API server has answered it: the request took effect, and the client need not learn of
   * that.
   */
  afterwards: Fault | undefined;
  /** Changes the bytes of all watches, open or later. */
  garble: ((chunk: Buffer) => Buffer) | undefined;
  /** Ends the open watches, as a server does when their time is over. */
  readonly endWatches: () => void;
  /** Holds back all bytes and closes no connection, as a network that is down. */
  readonly hang: () => void;
  /** Lets new connections work again; connections that were open during the hang stay dead. */
  readonly recover: () => void;
  /** Closes the port and every connection, so that new connections are refused until `open`. */
  readonly close: () => Promise<void>;
  readonly open: () => Promise<void>;
}

export async function startProxy(target: {
  readonly url: string;
  readonly ca: string;
}): Promise<FaultyProxy> {
  const authority = createAuthority(Date.now());
  const { cert, key } = issueServingCertificate(authority, ['127.0.0.1'], Date.now());
  const sockets = new Set<Socket>();
  const dead = new WeakSet<object>();
  const watches = new Set<ServerResponse>();
  let hanging = false;

  const forward = (incoming: IncomingMessage, answer: ServerResponse, seen: SeenRequest): void => {
    const passed = requestHttps(
      target.url + (incoming.url ?? ''),
      { method: incoming.method, headers: incoming.headers, ca: target.ca, agent: false },
      (response) => {
        if (dead.has(incoming.socket)) return;
        if (proxy.afterwards?.(seen, answer) === 'handled') return;
        answer.writeHead(response.statusCode ?? 500, response.headers);
        answer.flushHeaders();
        response.on('data', (chunk: Buffer) => {
          if (dead.has(incoming.socket)) return;
          if (!answer.writableEnded) answer.write(seen.isWatch && proxy.garble ? proxy.garble(chunk) : chunk);
        });
        response.on('end', () => dead.has(incoming.socket) || answer.end());
        response.on('error', () => dead.has(incoming.socket) || answer.destroy());
      },
    );
    passed.on('error', () => dead.has(incoming.socket) || answer.destroy());
    if (seen.isWatch) watches.add(answer);
    answer.on('close', () => {
      watches.delete(answer);
      passed.destroy();
    });
    incoming.pipe(passed);
  };

  const server = createServer({ cert, key }, (incoming, answer) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '', 'https://proxy');
    const isWatch = searchParams.get('watch') === 'true';
    const method = incoming.method ?? '';
    const seen: SeenRequest = { method, path: pathname, query: searchParams, at: Date.now(), isWatch };
    proxy.seen.push(seen);
    if (hanging) dead.add(incoming.socket);
    if (dead.has(incoming.socket)) return;
    if (proxy.fault?.(seen, answer) === 'handled') return;
    forward(incoming, answer, seen);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  // Requests know their TLS sockets; a hang concerns the sockets that are open now.
  const secure = new Set<Socket>();
  server.on('secureConnection', (socket) => {
    secure.add(socket);
    socket.on('close', () => secure.delete(socket));
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const proxy: FaultyProxy = {
    url: `https://127.0.0.1:${port}`,
    ca: authority.cert,
    seen: [],
    fault: undefined,
    afterwards: undefined,
    garble: undefined,
    endWatches: () => {
      for (const answer of watches) answer.end();
    },
    hang: () => {
      hanging = true;
      for (const socket of secure) dead.add(socket);
    },
    recover: () => {
      hanging = false;
    },
    close,
    open: () => listen(port),
    [Symbol.asyncDispose]: close,
  };
  return proxy;
}
