/** Starts the measured servers, each as a process of its own, and reads their resource usage. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnOwned } from '../support/owned-process.ts';
import { temporaryFolder } from '../support/webhook.ts';
import { kubeconfig } from '../e2e/support/control-plane.ts';
import { certificateVariable, issueCertificate } from './authority.ts';
import type { Script } from './scripted-api-server.ts';

export const CERTIFICATE = issueCertificate();
const variable = certificateVariable(CERTIFICATE);
const environment = { PATH: process.env['PATH'], ...variable };

/** The flags of the image, for the webhook and for the floor. */
const [, ...entrypoint] = JSON.parse(
  /^ENTRYPOINT (.*)$/m.exec(readFileSync('Dockerfile', 'utf8'))![1]!,
) as string[];
export const NODE_FLAGS = entrypoint.slice(0, -1);

export interface Server extends Disposable {
  readonly url: string;
  readonly pid: number;
  /** Milliseconds from the start of the process until it was ready. */
  readonly readyAfter: number;
}

export interface WebhookProcess extends Server {
  readonly metricsUrl: string;
  /** Writes another token into the kubeconfig that it was started with. */
  readonly renewToken: (token: string) => void;
  /** Writes another serving certificate into its files. */
  readonly renewCertificate: () => void;
}

export interface ScriptedApiServer extends Server {
  readonly run: (script: Script) => void;
}

const HERE = import.meta.dirname;

export async function startFloor(): Promise<Server> {
  const { child, url, readyAfter } = await forkServer('floor.ts', []);
  return server(child, url, readyAfter);
}

/** @param selectors profile selectors in the cluster */
export async function startScriptedApiServer(caches: number, selectors: number): Promise<ScriptedApiServer> {
  const { child, url, readyAfter } = await forkServer('scripted-api-server.ts', [
    `${caches}`,
    `${selectors}`,
  ]);
  return { ...server(child, url, readyAfter), run: (script) => child.send(script) };
}

/** Starts the built webhook with its defaults and the image's flags of Node, and waits until it is ready. */
export async function startWebhookProcess(
  cluster: { readonly url: string; readonly ca?: string; readonly token?: string },
  flags: readonly string[] = [],
): Promise<WebhookProcess> {
  const as = (token: string): string => kubeconfig(cluster.url, cluster.ca ?? CERTIFICATE.ca, { token });
  const folder = temporaryFolder({
    kubeconfig: as(cluster.token ?? 'token'),
    'tls.crt': CERTIFICATE.cert,
    'tls.key': CERTIFICATE.key,
  });
  const at = (name: string): string => join(folder.path, name);
  const began = performance.now();
  const child = spawnOwned(
    process.execPath,
    [
      ...NODE_FLAGS,
      'dist/main.js',
      'serve',
      '--source=kubernetes',
      `--kubeconfig=${at('kubeconfig')}`,
      '--host=127.0.0.1',
      `--tls-cert=${at('tls.crt')}`,
      `--tls-key=${at('tls.key')}`,
      '--port=0',
      '--metrics-port=0',
      ...flags,
    ],
    { env: environment, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  child.once('exit', folder.remove);
  let log = '';
  const lines = Promise.withResolvers<void>();
  child.stdout!.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    if (log.includes('"msg":"ready"')) lines.resolve();
  });
  child.once('exit', () => lines.reject(new Error(`the webhook ended:\n${log}`)));
  await lines.promise;
  const find = (name: string): string => new RegExp(`"${name}":"([^"]+)"`).exec(log)?.[1] ?? '';
  return {
    ...server(child, find('address'), performance.now() - began),
    metricsUrl: `${find('metricsAddress')}/metrics`,
    renewToken: (token) => folder.write('kubeconfig', as(token)),
    renewCertificate: () => {
      const { cert, key } = issueCertificate();
      folder.write('tls.crt', cert);
      folder.write('tls.key', key);
    },
  };
}

async function forkServer(
  file: string,
  args: readonly string[],
): Promise<{ child: ChildProcess; url: string; readyAfter: number }> {
  const began = performance.now();
  const child = fork(join(HERE, file), [...args], { env: environment, execArgv: NODE_FLAGS });
  const [url] = (await once(child, 'message')) as [string];
  return { child, url, readyAfter: performance.now() - began };
}

function server(child: ChildProcess, url: string, readyAfter: number): Server {
  return { url, pid: child.pid!, readyAfter, [Symbol.dispose]: () => child.kill('SIGKILL') };
}

/** Seconds of processor time that a process has used; the kernel counts in hundredths. */
export function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Bytes of memory that a process occupies. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
