/** The running simulator: polls the ImageCaches, and applies the status changes that ECI would make. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { objectName } from '../core/kubernetes/object.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { nextState, type LifeOptions } from '../core/simulation/cache-life.ts';
import { connectImageCaches, type ImageCacheObjects } from './connect.ts';

export interface SimulatorEvents {
  /** @param phase `Deleted` if the cache expired */
  readonly onState: (name: string, phase: string, progress: string) => void;
  readonly onProblem: (problem: string) => void;
}

/** Milliseconds between two polls. */
const POLL_EVERY_MS = 250;

/**
 * Runs until `stopped` resolves.
 * @throws if no cluster is configured
 */
export async function simulate(
  config: Config,
  options: LifeOptions,
  events: SimulatorEvents,
  stopped: Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  void stopped.then(() => stopping.abort());
  const imageCaches = await connectImageCaches(config, signal);
  let problem: string | undefined;
  while (!signal.aborted) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- each round reads what the round before wrote
      await poll(imageCaches, options, events);
      problem = undefined;
    } catch (error) {
      if (signal.aborted) return;
      if (messageOf(error) !== problem) events.onProblem(messageOf(error));
      problem = messageOf(error);
    }
    // oxlint-disable-next-line no-await-in-loop
    await sleep(POLL_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function poll(
  imageCaches: ImageCacheObjects,
  options: LifeOptions,
  events: SimulatorEvents,
): Promise<void> {
  for (const object of await imageCaches.caches()) {
    const next = nextState(object, options, Date.now());
    if (!next) continue;
    const name = objectName(object);
    // oxlint-disable-next-line no-await-in-loop -- caches in the same file are written one after the other
    await (next.kind === 'expired' ? imageCaches.delete(object) : imageCaches.setStatus(object, next.status));
    if (next.kind === 'expired') events.onState(name, 'Deleted', '');
    else events.onState(name, next.phase, next.progress);
  }
}
