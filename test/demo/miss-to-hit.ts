/**
 * The second part of `make demo`: a miss, the marker, the cache that the controller makes, its phases until Ready, and
 * the hit of the next pod. Four processes share one folder: the webhook, the controller, `imc simulate-eci` instead of
 * ECI, and this process instead of the API server and the scheduler.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CREATE_ON_MISS } from '../../src/core/annotations.ts';
import { NODE, onNode, PATIENCE, print, start, startWebhook, type Created } from './programs.ts';

const IMAGE = 'registry.example/team/app:2.0';

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
  await using webhook = await startWebhook(settings, certs);
  await using controller = start(['controller', ...settings]);
  await using eci = start(['simulate-eci', `--source=files:${folder}`, '--creation-time=4s'], showProgress);
  print(`\nFrom a miss to a hit, for a pod with the image ${IMAGE}:\n`);
  const create = (name: string): Promise<Created> => webhook.create(name, IMAGE);
  const first = await create('first');
  const { labels } = first.pod['metadata'] as { labels: Record<string, string> };
  print(
    `  ${first.outcome.padEnd(5)}  the first pod finds no cache and is marked ${CREATE_ON_MISS}: ${labels[CREATE_ON_MISS]}`,
  );
  writeFileSync(join(folder, 'node.json'), JSON.stringify(NODE));
  writeFileSync(join(folder, 'first.json'), JSON.stringify(onNode(first.pod)));
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
}

/** Shows one growing bar in a terminal, and a line for each step elsewhere. */
function showProgress(line: string): void {
  const [, phase, bar] = /^auto-\S+ +(\w+) +(.*)$/.exec(line) ?? [];
  if (phase === undefined) return;
  const text = `  ECI    ${phase.padEnd(9)}  ${bar}`;
  if (!process.stdout.isTTY) print(text);
  else process.stdout.write(`\r\u001B[K${text}${phase === 'Ready' ? '\n' : ''}`);
}
