/**
 * The second part of `make demo`: a miss, the marker, the cache that the controller makes, its phases until Ready, and
 * the hit of the next pod. Four processes share one folder: the webhook, the controller, `imc simulate-eci` instead of
 * ECI, and this process instead of the API server and the scheduler.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { CREATE_ON_MISS } from '../../src/core/annotations.ts';
import { admissionReview, asSubmitted } from '../support/admission.ts';
import { sendHttps } from '../support/https.ts';
import { end, spawnOwned } from '../support/owned-process.ts';
import { podObject, type Json } from '../support/objects.ts';
import { applied, operationsOf } from '../support/patch.ts';
import type { AdmissionResponse } from '../support/webhook.ts';

const IMAGE = 'registry.example/team/app:2.0';
/** The virtual node that runs the first pod: a pod counts as a miss once it has a node. */
const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'virtual-kubelet-cn-beijing-i', labels: { type: 'virtual-kubelet' } },
};
/** Milliseconds to wait for each step before the demo fails. */
const PATIENCE = 30_000;

const print = (text: string): boolean => process.stdout.write(`${text}\n`);

interface Process extends AsyncDisposable {
  /** Waits for the first line of output that satisfies a condition. */
  readonly line: (isIt: (line: string) => boolean) => Promise<string>;
}

function start(args: readonly string[], onLine: (line: string) => void = () => undefined): Process {
  const child = spawnOwned(process.execPath, ['dist/main.js', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
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

/** @param certs the folder of the webhook's certificate */
export async function showMissToHit(certs: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'imc-miss-to-hit-'));
  try {
    await show(folder, certs);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function show(folder: string, certs: string): Promise<void> {
  const settings = [
    `--source=files:${folder}`,
    '--host=127.0.0.1',
    '--metrics-port=0',
    '--create-on-miss-by=controller',
  ];
  await using webhook = start([
    'serve',
    ...settings,
    `--tls-self-signed=${certs}`,
    '--port=0',
    '--shutdown-delay=0',
  ]);
  await using controller = start(['controller', ...settings]);
  await using eci = start(['simulate-eci', `--source=files:${folder}`, '--creation-time=4s'], showProgress);
  const serving = JSON.parse(await webhook.line((line) => line.includes('"msg":"serving"'))) as {
    address: string;
  };
  await webhook.line((line) => line.includes('"msg":"ready"'));
  const agent = new Agent({ keepAlive: true, ca: readFileSync(join(certs, 'ca.crt')) });

  const create = async (name: string): Promise<{ outcome: string; cache: string; pod: Json }> => {
    const object = podObject({ images: [IMAGE] });
    const pod = asSubmitted({ ...object, metadata: { ...(object['metadata'] as Json), name } }, 'default');
    const review = JSON.stringify(admissionReview(pod));
    const { body } = await sendHttps(`${serving.address}/mutate`, { method: 'POST', agent }, review);
    const { response } = JSON.parse(body) as { response: AdmissionResponse };
    const decided = applied(pod, operationsOf(response));
    const metadata = { ...(decided['metadata'] as Json), creationTimestamp: new Date().toISOString() };
    const { outcome = '', 'image-cache': cache = '' } = response.auditAnnotations ?? {};
    return { outcome, cache, pod: { ...decided, metadata } };
  };

  print(`\nFrom a miss to a hit, for a pod with the image ${IMAGE}:\n`);
  const first = await create('first');
  const { labels } = first.pod['metadata'] as { labels: Record<string, string> };
  const spec = { ...(first.pod['spec'] as Json), nodeName: NODE.metadata.name };
  print(
    `  ${first.outcome.padEnd(5)}  the first pod finds no cache and is marked ${CREATE_ON_MISS}: ${labels[CREATE_ON_MISS]}`,
  );
  writeFileSync(join(folder, 'node.json'), JSON.stringify(NODE));
  writeFileSync(join(folder, 'first.json'), JSON.stringify({ ...first.pod, spec }));
  const made = JSON.parse(await controller.line((line) => line.includes('"msg":"ImageCache created"'))) as {
    imageCache: string;
  };
  print(`  made   the controller makes ImageCache ${made.imageCache}`);
  await eci.line((line) => line.includes('Ready'));
  const until = Date.now() + PATIENCE;
  let next = await create('next');
  while (next.outcome !== 'hit' && Date.now() < until) {
    await sleep(100);
    next = await create('next');
  }
  print(`  ${next.outcome.padEnd(5)}  the next pod starts from it: ${next.cache}`);
  agent.destroy();
}

/** Shows one growing bar in a terminal, and a line for each step elsewhere. */
function showProgress(line: string): void {
  const [, phase, bar] = /^auto-\S+ +(\w+) +(.*)$/.exec(line) ?? [];
  if (phase === undefined) return;
  const text = `  ECI    ${phase.padEnd(9)}  ${bar}`;
  if (!process.stdout.isTTY) print(text);
  else process.stdout.write(`\r\u001B[K${text}${phase === 'Ready' ? '\n' : ''}`);
}
