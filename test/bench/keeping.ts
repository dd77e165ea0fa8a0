/** Measures what a pod, a node and a cache take in memory, and what a look of the controller at 200,000 pods costs. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median, takeTurns, type Goal, type Row } from './measure.ts';

/** Bytes each, and milliseconds of processor time. */
interface Kept {
  readonly ofTemplate: number;
  readonly ofJob: number;
  readonly withoutNode: number;
  readonly node: number;
  readonly cache: number;
  readonly lookMs: number;
}

const FIGURES: readonly (readonly [keyof Kept, what: string, unit: string, goal: Goal])[] = [
  ['ofTemplate', 'controller: a marked pod, 200 of each template', 'bytes', { atMost: 800 }],
  ['ofJob', 'controller: a marked pod with labels of its own', 'bytes', { atMost: 6000 }],
  ['withoutNode', 'webhook with bindTime: a pod without a node', 'bytes', { atMost: 8000 }],
  ['node', 'a node with 50 images and 15 labels', 'bytes', { atMost: 30_000 }],
  ['cache', 'a cache of 5 images that no other has', 'bytes', { atMost: 6000 }],
  ['lookMs', 'controller: a look at 200,000 marked pods of 1,000 templates', 'ms', { atMost: 1000 }],
];

export async function measureKeeping(rounds: number): Promise<Row[]> {
  const measure = async (): Promise<Kept> => {
    const script = join(import.meta.dirname, 'kept-memory.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script]);
    return JSON.parse(stdout) as Kept;
  };
  const [all] = await takeTurns(rounds, [measure]);
  return FIGURES.map(([key, what, unit, goal]) => ({
    section: 'keeping',
    what,
    figure: median(all!.map((each) => each[key])),
    unit,
    goal,
  }));
}
