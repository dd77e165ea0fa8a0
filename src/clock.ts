/**
 * The clock of the process: time, timers and random numbers. Code that waits or measures takes a Clock as a parameter,
 * so that a test can pass a clock that it controls, and never has to wait.
 */
import { setTimeout as sleepFor } from 'node:timers/promises';

export interface Timer {
  /** Starts the whole wait again. */
  restart(): void;
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970; the system clock may be set forwards and backwards. */
  now(): number;
  /** Milliseconds since an arbitrary moment; never set back. */
  elapsed(): number;
  /** Resolves after the time, or as soon as the signal is aborted; never rejects. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Calls back once. */
  after(milliseconds: number, callback: () => void): Timer;
  /** Calls back again and again; does not keep the process alive. */
  every(milliseconds: number, callback: () => void): Pick<Timer, 'cancel'>;
  /** Uniform from 0 to below 1. */
  random(): number;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    try {
      await sleepFor(milliseconds, undefined, { signal });
    } catch {
      // The signal was aborted.
    }
  },
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return { restart: () => timer.refresh(), cancel: () => clearTimeout(timer) };
  },
  every: (milliseconds, callback) => {
    const timer = setInterval(callback, milliseconds).unref();
    return { cancel: () => clearInterval(timer) };
  },
  random: () => Math.random(),
};
