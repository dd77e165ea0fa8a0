/** The ConfigMap in which the controller publishes how long pods live. */
import { LIVES_KEY, readLives, type PodLives } from '../../core/decision/pod-life.ts';
import { readText } from '../../core/kubernetes/json.ts';
import { readPart, type Manifest } from './manifest.ts';

/** Whether a ConfigMap in a folder is such a one; in a cluster, its name says so. */
export function isPodLives({ object }: Manifest): boolean {
  return LIVES_KEY in readPart(object, 'data');
}

/** Empty before the controller has published anything. @throws Unreadable */
export function readPodLives({ object }: Manifest): PodLives {
  const text = readText(readPart(object, 'data')[LIVES_KEY]);
  return text === undefined ? new Map() : readLives(text);
}
