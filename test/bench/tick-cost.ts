/** Prints how much more a tick costs after full garbage collections than before, with the workaround if told `kept`. */
import { keepTickShape } from '../../src/runtime/next-tick-workaround.ts';

const WINDOWS = 15;
const TICKS = 20_000;

/** Milliseconds for a window of ticks: the least of several, because other work may slow the machine down. */
async function cost(): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < WINDOWS; i++) {
    const began = performance.now();
    await new Promise<void>((resolve) => {
      let left = TICKS;
      const next = (): unknown => (--left > 0 ? process.nextTick(next) : setImmediate(resolve));
      process.nextTick(next);
    });
    least = Math.min(least, performance.now() - began);
  }
  return least;
}

if (process.argv[2] === 'kept') keepTickShape();
const before = await cost();
for (let i = 0; i < 4; i++) {
  globalThis.gc?.();
  await cost();
}
process.stdout.write(`${(await cost()) / before}`);
