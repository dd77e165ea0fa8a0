/** `make bench`: measures, prints a table, and with --json FILE writes the figures. */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { measureDeciding } from './deciding.ts';
import { measureInCluster } from './in-cluster.ts';
import { measureKeeping } from './keeping.ts';
import { formatTable, meets, type Row } from './measure.ts';
import { measureReplay } from './replay.ts';
import { measureWorstCases } from './worst-case.ts';
import { measureChurn, measureLife, measureServing, measureTicks } from './serving.ts';

const SECTIONS = {
  decision: (rounds: number) => measureDeciding(rounds, [1000, 10_000, 100_000]),
  keeping: (rounds: number) => measureKeeping(rounds),
  replay: () => measureReplay(),
  worst: (rounds: number) => measureWorstCases(rounds),
  serving: (rounds: number) => measureServing(rounds, 10),
  churn: (rounds: number) => measureChurn(rounds, 2),
  cluster: (rounds: number) => measureInCluster(rounds, 10),
  ticks: (rounds: number) => measureTicks(rounds),
  life: (rounds: number) => measureLife(rounds, 1_000_000),
} satisfies Record<string, (rounds: number) => Promise<Row[]>>;

type Section = keyof typeof SECTIONS;
const ALL = Object.keys(SECTIONS) as Section[];
/** The only section that needs a control plane. */
const NEEDS_CONTROL_PLANE: Section = 'cluster';

function isSection(name: string): name is Section {
  return Object.hasOwn(SECTIONS, name);
}

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '5' },
  },
});
const unknown = values.only.filter((name) => !isSection(name));
const rounds = Number(values.rounds);
if (unknown.length > 0 || !(rounds >= 1)) {
  process.stderr.write(`usage: make bench ARGS="[--json FILE] [--rounds N] [--only ${ALL.join('|')}]..."\n`);
  process.exit(2);
}
const possible = ALL.filter((name) => name !== NEEDS_CONTROL_PLANE || process.env['KUBEBUILDER_ASSETS']);
const chosen = values.only.length > 0 ? values.only.filter(isSection) : possible;
if (!chosen.includes(NEEDS_CONTROL_PLANE) && values.only.length === 0)
  process.stderr.write('not measured: cluster, which needs KUBEBUILDER_ASSETS (CONTRIBUTING.md, make e2e)\n');

const machine = {
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  v8: process.versions.v8,
  openssl: process.versions.openssl,
  date: new Date().toISOString(),
};
process.stdout.write(
  `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB; Node ${machine.node}, V8 ${machine.v8}, OpenSSL ${machine.openssl}; medians of ${rounds}\n\n`,
);
const rows: Row[] = [];
for (const section of chosen) {
  process.stderr.write(`measuring ${section} ...\n`);
  rows.push(...(await SECTIONS[section](rounds)));
  // Written after each section, so that earlier figures stay if the next section fails.
  if (values.json !== undefined) {
    const figures = rows.map((row) => ({ ...row, met: meets(row) }));
    writeFileSync(values.json, `${JSON.stringify({ machine, rounds, rows: figures }, undefined, 2)}\n`);
  }
}
process.stdout.write(`${formatTable(rows)}\n`);
process.exit();
