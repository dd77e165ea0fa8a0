/** `make fuzz`: a million inputs, or as many as are asked for. */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
  },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
  process.stderr.write('usage: make fuzz ARGS="[--count N] [--seed N]"; both are integers\n');
  process.exit(2);
}
process.stdout.write(`${count} inputs from seed ${seed}\n`);
const { byStatus, patched, slowest } = await fuzz(count, seed, {
  onProgress: (done) => {
    if (done % 100_000 === 0) process.stdout.write(`${done} ...\n`);
  },
});
const statuses = Array.from(byStatus, ([status, times]) => `${times} HTTP ${status}`).join(', ');
process.stdout.write(
  `${statuses}; ${patched} patched; the slowest took ${(slowest * 100).toFixed(0)} % of what it may; nothing amiss\n`,
);
