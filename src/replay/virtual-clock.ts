/** The clock of a replay: it stands still, until the replay moves it to the next thing that happens. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../clock.ts';

interface Due {
  readonly atMs: number;
  /** Of things that are due at the same time, the one that was planned first comes first. */
  readonly order: number;
  readonly callback: () => void;
}

export class VirtualClock implements Clock {
  #now: number;
  #planned = 0;
  /** A binary heap, the next one first. A replay has a few timers for each pod that is present. */
  readonly #heap: Due[] = [];
  readonly #cancelled = new WeakSet<Due>();
  readonly #onMove: (now: number) => void;

  /** @param start milliseconds since 1970 @param onMove called with each new time */
  constructor(start: number, onMove: (now: number) => void) {
    this.#now = start;
    this.#onMove = onMove;
    onMove(start);
  }

  now(): number {
    return this.#now;
  }

  /** What is computed takes no time. */
  elapsed(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        timer.cancel();
        resolve();
      };
      const timer = this.after(milliseconds, () => {
        signal.removeEventListener('abort', end);
        resolve();
      });
      signal.addEventListener('abort', end, { once: true });
    });
  }

  after(milliseconds: number, callback: () => void): Timer {
    let due = this.#plan(milliseconds, callback);
    return {
      restart: () => {
        this.#cancelled.add(due);
        due = this.#plan(milliseconds, callback);
      },
      cancel: () => this.#cancelled.add(due),
    };
  }

  every(milliseconds: number, callback: () => void): Pick<Timer, 'cancel'> {
    const timer = this.after(milliseconds, () => {
      timer.restart();
      callback();
    });
    return timer;
  }

  /** Moves to a time, and on the way lets everything happen that is due. @param until milliseconds since 1970 */
  async moveTo(until: number): Promise<void> {
    await nextTurn();
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.atMs > until) break;
      this.#takeFirst();
      if (this.#cancelled.has(next)) continue;
      this.#setNow(Math.max(next.atMs, this.#now));
      next.callback();
      // What waited for it goes on, and may plan more.
      // oxlint-disable-next-line no-await-in-loop
      await nextTurn();
    }
    this.#setNow(until);
  }

  #setNow(now: number): void {
    if (now === this.#now) return;
    this.#now = now;
    this.#onMove(now);
  }

  #plan(milliseconds: number, callback: () => void): Due {
    const due = { atMs: this.#now + milliseconds, order: this.#planned++, callback };
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(due, heap[parent]!); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = due;
    return due;
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
