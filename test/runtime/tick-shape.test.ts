import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

async function growth(guard: 'kept' | 'plain'): Promise<number> {
  const script = join(import.meta.dirname, 'tick-cost.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, guard]);
  return Number(stdout);
}

it('a tick costs after full garbage collections what it did before', async () => {
  expect(await growth('kept')).toBeLessThan(2);
});

it('without the guard it costs a multiple; where this fails, Node has mended it, and the guard can go', async () => {
  expect(await growth('plain')).toBeGreaterThan(2);
});
