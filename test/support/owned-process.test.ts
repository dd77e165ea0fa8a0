import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { eventually } from './eventually.ts';
import { end, hasEnded, runOwned, spawnOwned } from './owned-process.ts';

/** A process that has ended is still listed, as a zombie, until its parent waits for it. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** A process that starts three others, ends the second, and prints all their process IDs. */
const PARENT = `
  import { end, spawnOwned } from '${new URL('owned-process.ts', import.meta.url).href}';
  const children = [1, 2, 3].map(() => spawnOwned('sleep', ['1000']));
  await end(children[1]);
  console.log(children.map(({ pid }) => pid).join(' '));
  if (process.argv[1] === 'throw') throw new Error('thrown by the test');
  setInterval(() => undefined, 1000);
`;

it.each(['SIGKILL', 'SIGTERM', 'SIGINT', 'throw'])(
  'a process that ends by %s leaves none of its children running',
  async (how) => {
    const parent = spawn(process.execPath, ['--input-type=module', '-e', PARENT, how], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const pids = line.split(' ').map(Number);
    expect(pids).toHaveLength(3);
    if (how !== 'throw') {
      expect(pids.map(isRunning)).toEqual([true, false, true]);
      parent.kill(how as NodeJS.Signals);
    }
    await eventually(() => expect(pids.map(isRunning)).toEqual([false, false, false]));
  },
);

it('a child that is stopped by SIGSTOP can be ended', async () => {
  const child = spawnOwned('sleep', ['1000']);
  child.kill('SIGSTOP');
  await end(child, 'SIGTERM');
  expect(hasEnded(child)).toBe(true);
});

it('a missing program emits an error event, and counts as ended', async () => {
  const child = spawnOwned('/nowhere/at-all', []);
  const [error] = (await once(child, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ENOENT');
  expect(hasEnded(child)).toBe(true);
});

it('runOwned returns the output of a program, or throws its standard error if the program fails', async () => {
  expect(await runOwned('sh', ['-c', 'echo "$WORD"; echo aside >&2'], { WORD: 'said' })).toBe('said\n');
  await expect(runOwned('sh', ['-c', 'echo wrong >&2; exit 3'], {})).rejects.toThrow(/^sh -c .*\nwrong\n$/);
  await expect(runOwned('/nowhere/at-all', [], {})).rejects.toThrow('ENOENT');
});
