/**
 * Works around a slow path of V8 that Node's `process.nextTick` can fall into: after a full garbage collection while no
 * tick is waiting, every tick costs five times as much for the rest of the process's life, because V8 has dropped the
 * hidden class of tick objects. One tick object that stays alive keeps the class (https://v8.dev/docs/hidden-classes;
 * docs/performance.md).
 */
import { executionAsyncResource } from 'node:async_hooks';

let kept: object | undefined;

/** Call it when the process starts. */
export function keepTickShape(): void {
  if (kept) return;
  process.nextTick(() => {
    // While a tick runs, this is the tick object that Node made.
    kept = executionAsyncResource();
  });
}
