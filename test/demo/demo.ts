/**
 * `make demo`: starts the built webhook on the examples, sends each of them as the AdmissionReview that kube-apiserver
 * would send, and prints each answer and its reason.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { styleText } from 'node:util';
import { DECISION } from '../../src/core/annotations.ts';
import { REASONS, type Outcome, type ReasonCode } from '../../src/core/decision/reasons.ts';
import { readPods } from '../../src/runtime/offline.ts';
import { admissionReview, asSubmitted } from '../support/admission.ts';
import { sendHttps } from '../support/https.ts';
import { end, spawnOwned } from '../support/owned-process.ts';
import type { Json } from '../support/objects.ts';
import { applied, operationsOf } from '../support/patch.ts';
import type { AdmissionResponse } from '../support/webhook.ts';
import { showMissToHit } from './miss-to-hit.ts';
import { showWarmedByEci } from './warmed-by-eci.ts';

const EXAMPLES = 'test/examples';
const CERTS = 'certs';
const STYLES: Readonly<Record<Outcome | 'not ours', Parameters<typeof styleText>[0]>> = {
  hit: 'green',
  partial: 'yellow',
  pinned: 'green',
  miss: 'yellow',
  denied: 'red',
  skipped: 'dim',
  'not ours': 'dim',
};

const print = (text: string): boolean => process.stdout.write(`${text}\n`);
const paint = (style: Parameters<typeof styleText>[0], text: string): string => styleText(style, text);

interface Row {
  readonly example: string;
  readonly outcome: Outcome | 'not ours';
  readonly cache: string;
  readonly notes: readonly string[];
}

const { address, stop } = await serve();
try {
  // The agent is made once the certificate exists, and keeps its connections alive, as kube-apiserver does.
  const agent = new Agent({ keepAlive: true, ca: readFileSync(join(CERTS, 'ca.crt')) });
  const rows: Row[] = [];
  for (const file of readdirSync(join(EXAMPLES, 'pods'))) rows.push(...(await decide(file, address, agent)));
  agent.destroy();
  printTable(rows);
} finally {
  await stop();
}
await showMissToHit(CERTS);
await showWarmedByEci(CERTS);

/** Starts the webhook as a process of its own, as in a cluster. */
async function serve(): Promise<{ address: string; stop: () => Promise<void> }> {
  const settings = ['--tls-self-signed', CERTS, '--host', '127.0.0.1', '--port', '0', '--metrics-port', '0'];
  const source = ['--source', `files:${join(EXAMPLES, 'cluster')}`];
  const child = spawnOwned(
    process.execPath,
    ['dist/main.js', 'serve', ...source, ...settings, '--shutdown-delay', '0'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let serving = '';
  for await (const line of createInterface({ input: child.stdout! })) {
    const entry = JSON.parse(line) as Json;
    if (typeof entry['address'] === 'string') serving = entry['address'];
    if (entry['msg'] === 'ready') break;
  }
  if (serving === '') throw new Error('the webhook did not start');
  print(`The webhook serves at ${serving}, with the objects in ${EXAMPLES}/cluster.\n`);
  return {
    address: serving,
    stop: async () => {
      await end(child, 'SIGTERM');
    },
  };
}

async function decide(file: string, webhook: string, agent: Agent): Promise<Row[]> {
  const { pods } = readPods(file, readFileSync(join(EXAMPLES, 'pods', file), 'utf8'));
  return Promise.all(
    pods.map(async ({ pod: template, namespace = 'default' }) => {
      const pod = asSubmitted(template as Json, namespace);
      const review = JSON.stringify(admissionReview(pod, { namespace }));
      const { status, body } = await sendHttps(`${webhook}/mutate`, { method: 'POST', agent }, review);
      if (status !== 200) throw new Error(`HTTP ${status}: ${body}`);
      const { response } = JSON.parse(body) as { response: AdmissionResponse };
      return toRow(file.replace('.yaml', ''), pod, response);
    }),
  );
}

function toRow(example: string, pod: Json, response: AdmissionResponse): Row {
  const { auditAnnotations, status, warnings = [] } = response;
  // The answer to a pod that is not bound for ECI has no audit annotations.
  const reason = (auditAnnotations?.['reason'] ?? 'NotForEci') as ReasonCode;
  return {
    example,
    outcome: (auditAnnotations?.['outcome'] as Outcome | undefined) ?? 'not ours',
    cache: auditAnnotations?.['image-cache'] ?? '-',
    notes: [
      status?.message ?? whyOf(applied(pod, operationsOf(response))) ?? REASONS[reason],
      ...warnings.map((warning) => `warning: ${warning}`),
    ],
  };
}

/** The reason in the pod's decision annotation. */
function whyOf({ metadata }: Json): string | undefined {
  const { annotations } = metadata as { annotations?: Record<string, string> };
  const decision = annotations?.[DECISION];
  return decision === undefined ? undefined : (JSON.parse(decision) as { why: string }).why;
}

function printTable(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ example }) => example.length));
  print(paint('bold', `${'EXAMPLE'.padEnd(width)}  OUTCOME   CACHE`));
  for (const { example, outcome, cache, notes } of rows) {
    const style = STYLES[outcome];
    print(`${example.padEnd(width)}  ${paint(style, outcome.padEnd(8))}  ${cache}`);
    for (const note of notes) print(paint('dim', `    ${note}`));
  }
  const counts = Map.groupBy(rows, ({ outcome }) => outcome);
  print(`\n${Array.from(counts, ([outcome, { length }]) => `${length} ${outcome}`).join(', ')}.`);
  print(
    `The same for one pod, with every candidate: npx imc explain --source files:${EXAMPLES}/cluster -f POD.yaml`,
  );
}
