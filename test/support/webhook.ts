/** Runs the real webhook, over real TLS, for tests to talk to. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import supertest, { type Test } from 'supertest';
import { loadConfig } from '../../src/config/load.ts';
import { openCertificate } from '../../src/runtime/tls.ts';
import { startWebhook, type Webhook } from '../../src/runtime/webhook.ts';
import { createAuthority, issueServingCertificate } from '../../src/tls/authority.ts';
import { unchanging } from '../../src/tls/certificate-source.ts';
import type { Json } from './objects.ts';

const authority = createAuthority(Date.now());

export const CA = authority.cert;
export const SERVING_CERTIFICATE = issueServingCertificate(authority, ['localhost', '127.0.0.1'], Date.now());

export interface RunningWebhook extends Webhook {
  readonly port: number;
  /** Everything that was logged, parsed. */
  readonly logged: Json[];
  post: (path: string, body: unknown) => Test;
  get: (path: string) => Test;
  /** The metrics as Prometheus scrapes them. */
  metrics: () => Promise<string>;
  review: (body: Json) => Promise<AdmissionResponse>;
}

export interface AdmissionResponse {
  readonly apiVersion: string;
  readonly uid: string;
  readonly allowed: boolean;
  readonly patch?: string;
  readonly patchType?: string;
  readonly warnings?: readonly string[];
  readonly status?: {
    readonly code: number;
    readonly reason: string;
    readonly message: string;
    readonly status: string;
  };
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

/** @param settings key paths and texts, as flags give them */
export async function runWebhook(
  folder: string,
  settings: Record<string, string> = {},
): Promise<RunningWebhook> {
  const flags = new Map(
    Object.entries({
      source: `files:${folder}`,
      host: '127.0.0.1',
      port: '0',
      metricsPort: '0',
      shutdownDelay: '0',
      logLevel: 'debug',
      ...settings,
    }),
  );
  const config = loadConfig(undefined, flags, {});
  const logged: Json[] = [];
  const log = pino(
    { level: config.logLevel },
    { write: (line: string) => logged.push(JSON.parse(line) as Json) },
  );
  const ownCertificate = config.tls.cert !== '' || config.tls.managed.secret !== '';
  const certificate = ownCertificate ? await openCertificate(config, log) : unchanging(SERVING_CERTIFICATE);
  const webhook = await startWebhook(config, certificate, log);
  const get = (path: string): Test => supertest(webhook.address).get(path).ca(CA);
  const post = (path: string, body: unknown): Test =>
    supertest(webhook.address)
      .post(path)
      .ca(CA)
      .set('content-type', 'application/json')
      .send(typeof body === 'string' ? body : JSON.stringify(body));
  return {
    ...webhook,
    port: Number(new URL(webhook.address).port),
    logged,
    get,
    post,
    metrics: async () => (await fetch(`${webhook.metricsAddress}/metrics`)).text(),
    review: async (body) => {
      const { status, body: answer } = await post('/mutate', body);
      if (status !== 200) throw new Error(`HTTP ${status}: ${JSON.stringify(answer)}`);
      const { apiVersion, response } = answer as { apiVersion: string; response: AdmissionResponse };
      return { ...response, apiVersion };
    },
  };
}

/** Runs the webhook on a new folder with these files, which `stop` removes, and waits until they are read. */
export async function runWebhookOn(files: Record<string, unknown>): Promise<RunningWebhook> {
  const folder = temporaryFolder(files);
  const webhook = await runWebhook(folder.path);
  await webhook.synced;
  return {
    ...webhook,
    stop: async () => {
      await webhook.stop();
      folder.remove();
    },
  };
}

/** Makes a new folder, which `remove` deletes. */
export function temporaryFolder(files: Record<string, unknown> = {}): {
  readonly path: string;
  readonly write: (name: string, content: unknown) => void;
  readonly remove: () => void;
} {
  const path = mkdtempSync(join(tmpdir(), 'imc-'));
  const write = (name: string, content: unknown): void => {
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content));
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  return { path, write, remove: () => rmSync(path, { recursive: true, force: true }) };
}
