/**
 * `make soak`: runs the built webhook against a real API server for ten minutes, or as long as is asked for, with pods,
 * changes to the caches, faults on the way to the API server, and renewed tokens and certificates, all at once. No
 * answer may be wrong or missing, and neither memory nor open files may grow.
 */
import { readdirSync } from 'node:fs';
import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { putCaches } from '../bench/in-cluster.ts';
import { median } from '../bench/measure.ts';
import { randomFrom } from '../bench/population.ts';
import { CERTIFICATE, residentBytes, startWebhookProcess } from '../bench/processes.ts';
import { makeReviews } from '../bench/reviews.ts';
import { accountToken, setStatus, startCluster } from '../e2e/support/cluster.ts';
import { startProxy, type Fault, type FaultyProxy } from '../e2e/support/proxy.ts';
import { sendHttps } from '../support/https.ts';

const CACHES = 300;
const CLIENTS = 5;
/** Milliseconds. */
const BETWEEN = {
  reviews: 10,
  changes: 50,
  faults: 10_000,
  tokens: 30_000,
  certificates: 20_000,
  samples: 2000,
};
/** The last quarter compared with the second: after that, the process has no reason to grow. */
const MAX_GROWTH = { memory: 1.15, files: 1.2 };
const MIB = 2 ** 20;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  process.stderr.write('usage: make soak ARGS="[--minutes N] [--seed N]"\n');
  process.exit(2);
}
const random = randomFrom(Number(values.seed));
const until = performance.now() + minutes * 60_000;
const goesOn = (): boolean => performance.now() < until;
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
const print = (text: string): boolean => process.stdout.write(`${text}\n`);

await using plane = await startCluster();
const names = await putCaches(plane.api, CACHES);
await using proxy = await startProxy(plane);
using webhook = await startWebhookProcess(
  { url: proxy.url, ca: proxy.ca, token: await accountToken(plane.api) },
  ['--max-staleness', '6s'],
);
const reviews = makeReviews('hit', CACHES, 2000);
const agent = new Agent({ keepAlive: true, ca: CERTIFICATE.ca });
const outcomes = new Map<string, number>();
const done = { reviews: 0, changes: 0, faults: 0, tokens: 0, certificates: 0 };

async function askForPods(): Promise<void> {
  while (goesOn()) {
    const body = pick(reviews);
    // Some requests use a new connection, which gets the current certificate.
    const over = random() < 0.1 ? false : agent;
    const options = { method: 'POST', agent: over, ca: CERTIFICATE.ca };
    const { status, body: text } = await sendHttps(`${webhook.url}/mutate`, options, body);
    if (status !== 200) throw new Error(`HTTP ${status}: ${text}`);
    const { response } = JSON.parse(text) as {
      response: { uid: string; allowed: boolean; auditAnnotations?: { outcome: string; reason: string } };
    };
    const { uid } = (JSON.parse(body) as { request: { uid: string } }).request;
    if (response.uid !== uid || !response.allowed) throw new Error(`the pod ${uid} was answered ${text}`);
    const { outcome = 'none', reason = '' } = response.auditAnnotations ?? {};
    outcomes.set(`${outcome} ${reason}`, (outcomes.get(`${outcome} ${reason}`) ?? 0) + 1);
    done.reviews++;
    await sleep(BETWEEN.reviews * random());
  }
}

async function changeCaches(): Promise<void> {
  while (goesOn()) {
    await setStatus(plane.api, pick(names), { phase: pick(['Ready', 'Ready', 'Updating', 'Failed']) });
    done.changes++;
    await sleep(BETWEEN.changes);
  }
}

const refuse =
  (status: number): Fault =>
  (_request, answer) => {
    answer.writeHead(status, { 'content-type': 'application/json' });
    answer.end(JSON.stringify({ kind: 'Status', code: status }));
    return 'handled';
  };

/** Faults of networks and servers, each for a few seconds. */
const FAULTS: readonly ((proxy: FaultyProxy) => Promise<void>)[] = [
  (each) => during(each, { fault: refuse(503) }),
  (each) => during(each, { fault: refuse(429) }),
  (each) => during(each, { fault: refuse(401) }),
  (each) => during(each, { fault: (seen, answer) => (seen.isWatch ? refuse(410)(seen, answer) : undefined) }),
  (each) => during(each, { garble: (chunk) => Buffer.from(chunk.map((byte) => byte ^ 1)) }),
  async (each) => {
    each.hang();
    await sleep(5000 * random());
    each.recover();
  },
  async (each) => {
    await each.close();
    await sleep(5000 * random());
    await each.open();
  },
  (each) => {
    each.endWatches();
    return Promise.resolve();
  },
];

async function during(
  each: FaultyProxy,
  trouble: Partial<Pick<FaultyProxy, 'fault' | 'garble'>>,
): Promise<void> {
  Object.assign(each, trouble);
  await sleep(5000 * random());
  Object.assign(each, { fault: undefined, garble: undefined });
}

async function makeTrouble(): Promise<void> {
  while (goesOn()) {
    await pick(FAULTS)(proxy);
    done.faults++;
    // Compacts the history, as happens in a real cluster, so that some watches cannot go on.
    if (done.faults % 5 === 0) await plane.compact();
    await sleep(BETWEEN.faults * random());
  }
}

async function renewTokens(): Promise<void> {
  while (goesOn()) {
    await sleep(BETWEEN.tokens * random());
    webhook.renewToken(await accountToken(plane.api));
    done.tokens++;
  }
}

async function renewCertificates(): Promise<void> {
  while (goesOn()) {
    await sleep(BETWEEN.certificates * random());
    webhook.renewCertificate();
    done.certificates++;
  }
}

interface Sample {
  readonly memory: number;
  readonly files: number;
}
const samples: Sample[] = [];

async function watchTheProcess(): Promise<void> {
  while (goesOn()) {
    await sleep(BETWEEN.samples);
    const files = readdirSync(`/proc/${webhook.pid}/fd`).length;
    samples.push({ memory: residentBytes(webhook.pid), files });
  }
}

print(`${minutes} minutes, seed ${values.seed}`);
await Promise.all([
  ...Array.from({ length: CLIENTS }, askForPods),
  changeCaches(),
  makeTrouble(),
  renewTokens(),
  renewCertificates(),
  watchTheProcess(),
]);

const quarter = Math.floor(samples.length / 4);
const grown = (key: keyof Sample): number =>
  median(samples.slice(-quarter).map((each) => each[key])) /
  median(samples.slice(quarter, 2 * quarter).map((each) => each[key]));
const metrics = await (await fetch(webhook.metricsUrl)).text();
const faults = Number(/^imagecache_webhook_internal_errors_total (\d+)/m.exec(metrics)?.[1]);
for (const [outcome, times] of outcomes) print(`${times.toString().padStart(8)} ${outcome}`);
print(
  `${done.reviews} pods, ${done.changes} changes, ${done.faults} faults, ${done.tokens} tokens, ${done.certificates} certificates`,
);
const last = samples.at(-1);
print(
  `memory ${((last?.memory ?? 0) / MIB).toFixed(0)} MiB, ${grown('memory').toFixed(2)} of before; ` +
    `${last?.files} files open, ${grown('files').toFixed(2)} of before; ${faults} faults of ours`,
);
const amiss = [
  ...(grown('memory') > MAX_GROWTH.memory ? ['memory grows'] : []),
  ...(grown('files') > MAX_GROWTH.files ? ['open files grow'] : []),
  ...(faults === 0 ? [] : ['the webhook failed and let pods through']),
  ...(outcomes.has('hit BestMatch') ? [] : ['no pod was given a cache']),
];
print(amiss.length === 0 ? 'nothing amiss' : `AMISS: ${amiss.join(', ')}`);
agent.destroy();
process.exitCode = amiss.length === 0 ? 0 : 1;
