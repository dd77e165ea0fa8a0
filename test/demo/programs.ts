/** What the parts of `make demo` share: the programs as processes, and this process instead of the API server. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { admissionReview, asSubmitted } from '../support/admission.ts';
import { sendHttps } from '../support/https.ts';
import { end, spawnOwned } from '../support/owned-process.ts';
import { podObject, type Json } from '../support/objects.ts';
import { applied, operationsOf } from '../support/patch.ts';
import type { AdmissionResponse } from '../support/webhook.ts';

/** The virtual node: a pod counts as a miss, and ECI starts it, once it has a node. */
export const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'virtual-kubelet-cn-beijing-i', labels: { type: 'virtual-kubelet' } },
};

/** Milliseconds to wait for each step before the demo fails. */
export const PATIENCE = 30_000;

export const print = (text: string): boolean => process.stdout.write(`${text}\n`);

export interface Process extends AsyncDisposable {
  /** Waits for the first line of output that satisfies a condition. */
  readonly line: (isIt: (line: string) => boolean) => Promise<string>;
}

export function start(
  args: readonly string[],
  onLine: (line: string) => void = () => undefined,
  environment: Record<string, string> = {},
): Process {
  const child = spawnOwned(process.execPath, ['dist/main.js', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line);
    onLine(line);
  });
  return {
    line: async (isIt) => {
      const until = Date.now() + PATIENCE;
      for (;;) {
        const found = lines.find(isIt);
        if (found !== undefined) return found;
        if (child.exitCode !== null || Date.now() > until)
          throw new Error(`imc ${args[0]} has not got so far`);
        await sleep(20);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await end(child, 'SIGTERM');
    },
  };
}

export interface Created {
  readonly outcome: string;
  readonly cache: string;
  readonly pod: Json;
}

export interface DemoWebhook extends AsyncDisposable {
  /** Has the webhook decide a pod for ECI with this image. */
  readonly create: (name: string, image: string) => Promise<Created>;
}

/** @param certs the folder of its certificate */
export async function startWebhook(settings: readonly string[], certs: string): Promise<DemoWebhook> {
  const webhook = start([
    'serve',
    ...settings,
    `--tls-self-signed=${certs}`,
    '--port=0',
    '--shutdown-delay=0',
  ]);
  const { address } = JSON.parse(await webhook.line((line) => line.includes('"msg":"serving"'))) as {
    address: string;
  };
  await webhook.line((line) => line.includes('"msg":"ready"'));
  const agent = new Agent({ keepAlive: true, ca: readFileSync(join(certs, 'ca.crt')) });
  return {
    create: async (name, image) => {
      const object = podObject({ images: [image] });
      const pod = asSubmitted({ ...object, metadata: { ...(object['metadata'] as Json), name } }, 'default');
      const review = JSON.stringify(admissionReview(pod));
      const { body } = await sendHttps(`${address}/mutate`, { method: 'POST', agent }, review);
      const { response } = JSON.parse(body) as { response: AdmissionResponse };
      const decided = applied(pod, operationsOf(response));
      const metadata = { ...(decided['metadata'] as Json), creationTimestamp: new Date().toISOString() };
      const { outcome = '', 'image-cache': cache = '' } = response.auditAnnotations ?? {};
      return { outcome, cache, pod: { ...decided, metadata } };
    },
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      await webhook[Symbol.asyncDispose]();
    },
  };
}

/** The pod once the scheduler has bound it. */
export function onNode(pod: Json): Json {
  return { ...pod, spec: { ...(pod['spec'] as Json), nodeName: NODE.metadata.name } };
}
