/**
 * Owns a guard against a flaw of Node's: `process.nextTick`, which it calls for itself half a dozen times in each
 * request, costs five times as much for the rest of the process's life once there has been a full garbage collection
 * while no tick was waiting. V8 then forgets the shape of a tick's object, and the place that makes them takes the next
 * one for a second shape. One of them, kept, keeps the shape.
 */
import { executionAsyncResource } from 'node:async_hooks';

let kept: object | undefined;

/** To be called as the process starts; docs/performance.md says what it gives. */
export function keepTickShape(): void {
  if (kept) return;
  process.nextTick(() => {
    // While a tick runs, this is the object that Node made for it.
    kept = executionAsyncResource();
  });
}
