/**
 * The third part of `make demo`: a pod that ECI warms by itself, from a cache that the cluster does not know, and how that is
 * known afterwards. `imc simulate-eci --api` plays ECI: it starts the pods and answers as its API.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MATCHED_CACHE } from '../../src/core/annotations.ts';
import { truthOf } from '../../src/core/truth/pod-truth.ts';
import { parse } from 'yaml';
import type { Json } from '../support/objects.ts';
import { NODE, onNode, PATIENCE, print, start, startWebhook } from './programs.ts';

const IMAGE = 'registry.example/team/by-eci:1.0';
const KEY = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'stand-in', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'stand-in' };

/** @param certs the folder of the webhook's certificate */
export async function showWarmedByEci(certs: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'imc-warmed-by-eci-'));
  try {
    await show(folder, certs);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function show(folder: string, certs: string): Promise<void> {
  writeFileSync(join(folder, 'node.json'), JSON.stringify(NODE));
  const source = `--source=files:${folder}`;
  await using webhook = await startWebhook([source, '--host=127.0.0.1', '--metrics-port=0'], certs);
  await using eci = start(['simulate-eci', source, '--api=0', '--creation-time=2s']);
  const endpoint = /http:\/\/[\d.:]+/.exec(await eci.line((line) => line.includes('http://')))?.[0];

  print('\nA pod that ECI warms by itself, from a cache that the cluster does not know:\n');
  const run = async (name: string): Promise<Json> => {
    const { pod } = await webhook.create(name, IMAGE);
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify(onNode(pod)));
    const until = Date.now() + PATIENCE;
    for (;;) {
      const seen = parse(readFileSync(file, 'utf8')) as Json;
      if (truthOf(seen)) return seen;
      if (Date.now() > until) throw new Error(`ECI has not started ${name}`);
      await sleep(50);
    }
  };
  const tell = (pod: Json): boolean => {
    const { predicted, result, used = 'no cache' } = truthOf(pod)!;
    return print(
      `  ${predicted.padEnd(5)}  ECI started the pod from ${used}; the prediction counts as ${result}`,
    );
  };
  tell(await run('first'));
  const until = Date.now() + PATIENCE;
  for (let i = 1; ; i++) {
    const pod = await run(`next-${i}`);
    const { annotations } = pod['metadata'] as { annotations: Record<string, string> };
    if (annotations[MATCHED_CACHE] === undefined && Date.now() < until) continue;
    tell(pod);
    break;
  }
  print('\n  imc status, which asks the API too, shows the cache, and what ECI did with the pods:\n');
  const region = ['--region-name=cn-beijing', '--region-api=true', `--region-endpoint=${endpoint}`];
  await using status = start(['status', source, ...region], (line) => print(`  ${line}`), KEY);
  await status.line((line) => line.startsWith('Pods that ECI started'));
}
