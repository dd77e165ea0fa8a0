/** Waits until ImageCaches are Ready, for pipelines that deploy what starts from them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { isObject, partOf, readText } from '../core/kubernetes/json.ts';
import { HOPELESS, IMAGE_CACHE_API_VERSION, READY, describePhase } from '../core/image-cache.ts';
import { Unreadable } from '../core/kubernetes/problem.ts';
import { formatProblem, readDocuments, toProblem } from '../sources/files/documents.ts';
import { connectImageCaches } from './connect.ts';

export interface WaitEvents {
  /** Called whenever the state of a cache changes: `web: Creating 40%`. */
  readonly onState: (name: string, state: string) => void;
}

export interface WaitResult {
  /** Caches that will not become Ready, and why. */
  readonly hopeless: readonly { readonly name: string; readonly why: string }[];
  /** Caches that were not Ready when the time was over. */
  readonly late: readonly string[];
}

/** Milliseconds between two looks, each of which lists all ImageCaches: some hundreds at most. */
const LOOK_EVERY = 2000;

/**
 * Ends as soon as all are Ready, or one of them cannot become Ready.
 * @param timeoutMs 0: looks once
 * @throws if the ImageCaches cannot be read
 */
export async function waitForCaches(
  config: Config,
  names: readonly string[],
  timeoutMs: number,
  { onState }: WaitEvents,
): Promise<WaitResult> {
  const until = performance.now() + timeoutMs;
  const source = await connectImageCaches(config);
  const told = new Map<string, string>();
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    const objects = await source.caches();
    const byName = new Map(objects.map((object) => [readText(partOf(object, 'metadata')['name']), object]));
    const states = names.map((name) => ({ name, ...stateOf(byName.get(name)) }));
    for (const { name, text } of states) {
      if (told.get(name) !== text) onState(name, text);
      told.set(name, text);
    }
    const hopeless = states.flatMap(({ name, why }) => (why === undefined ? [] : [{ name, why }]));
    const late = states.filter(({ isReady }) => !isReady).map(({ name }) => name);
    const left = until - performance.now();
    if (hopeless.length > 0 || late.length === 0 || left <= 0) return { hopeless, late };
    // oxlint-disable-next-line no-await-in-loop
    await sleep(Math.min(LOOK_EVERY, left));
  }
}

interface State {
  readonly text: string;
  readonly isReady: boolean;
  /** Why it will not become Ready; undefined if it may. */
  readonly why: string | undefined;
}

function stateOf(object: object | undefined): State {
  if (!isObject(object)) return { text: 'not found', isReady: false, why: 'there is no such ImageCache' };
  const status = partOf(object, 'status');
  const phase = readText(status['phase']) ?? '';
  const text = describePhase({ phase, progress: readText(status['progress']) ?? '' });
  if (partOf(object, 'metadata')['deletionTimestamp'] !== undefined)
    return { text: 'being deleted', isReady: false, why: 'it is being deleted' };
  return {
    text,
    isReady: phase === READY && readText(status['imageCacheId']) !== undefined,
    why: HOPELESS.has(phase) ? `it is ${phase}: kubectl describe imagecache shows why` : undefined,
  };
}

/** The names of the ImageCaches in a manifest, and what of it cannot be read. */
export function cacheNamesIn(
  file: string,
  text: string,
): { readonly names: readonly string[]; readonly problems: readonly string[] } {
  const { documents, syntaxErrors } = readDocuments(file, text);
  const problems = syntaxErrors.map(formatProblem);
  const names = documents.flatMap((document) => {
    const { value } = document;
    if (!isObject(value) || value['kind'] !== 'ImageCache' || value['apiVersion'] !== IMAGE_CACHE_API_VERSION)
      return [];
    const name = readText(partOf(value, 'metadata')['name']);
    if (name === undefined)
      problems.push(formatProblem(toProblem(file, document, new Unreadable('metadata.name', 'is missing'))));
    return name ?? [];
  });
  return { names, problems };
}
