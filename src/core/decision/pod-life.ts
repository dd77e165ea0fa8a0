/**
 * How long the pods of a template live. The controller learns it (controller/lives.ts) and publishes it in a ConfigMap, which
 * every replica of the webhook reads.
 */
import type { ImageReference } from '../image/reference.ts';
import { podImages } from '../image/image-set.ts';
import { shortHash } from '../image/sha256.ts';
import { isObject } from '../kubernetes/json.ts';
import type { PodSize } from '../kubernetes/pod-requests.ts';
import { messageOf, typeName, Unreadable } from '../kubernetes/problem.ts';
import { formatDay, parseTime } from '../kubernetes/time.ts';
import type { Pod } from '../pod.ts';

/** Of the pods of one template. The size is that of the pod that ended last. */
export interface PodLife extends PodSize {
  /** From the moment when its node took a pod to its end, as expected of the next one. */
  readonly seconds: number;
  /** The ends of pods from which it is learned. */
  readonly ended: number;
  /** The day of the last of them, at its beginning, in milliseconds since 1970. */
  readonly learnedAtMs: number;
}

/** By template. */
export type PodLives = ReadonlyMap<string, PodLife>;

/** The key in the data of the ConfigMap. */
export const LIVES_KEY = 'pod-lives.json';
/** Ends of pods from which an expected life is learned; fewer say too little. */
export const LEAST_ENDED = 3;
/** Templates that are published; a ConfigMap holds a MiB, and each takes about 120 bytes. */
export const MOST_TEMPLATES = 2000;

/**
 * The template of a pod: its namespace and the repositories of its images. Their tags are no part of it, so that what is
 * known of a template holds for its next version.
 */
export function templateOf(pod: Pick<Pod, 'namespace' | 'containers' | 'imageVolumes'>): string {
  return templateOfImages(pod.namespace, podImages(pod, 'ignore')?.references ?? []);
}

export function templateOfImages(
  namespace: string,
  references: readonly Pick<ImageReference, 'repository'>[],
): string {
  const repositories = [...new Set(references.map(({ repository }) => repository))].toSorted();
  return `${namespace}/${shortHash(repositories.join('\n'))}`;
}

/** As JSON with one template a line, sorted. */
export function describeLives(lives: PodLives): string {
  const lines = [...lives]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([template, { learnedAtMs, seconds, ended, cpu, memoryGib }]) => {
      const learned = formatDay(learnedAtMs);
      return `${JSON.stringify(template)}:${JSON.stringify({ seconds, ended, cpu, memoryGib, learned })}`;
    });
  return `{${lines.join(',\n')}}`;
}

/**
 * Leaves out what is no life.
 * @throws Unreadable if the text is no JSON object
 */
export function readLives(text: string): PodLives {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Unreadable(`data.${LIVES_KEY}`, `is not JSON: ${messageOf(error)}`);
  }
  if (!isObject(value))
    throw new Unreadable(`data.${LIVES_KEY}`, `is ${typeName(value)}; it must be an object`);
  const lives = Object.entries(value).flatMap(([template, life]) => {
    const read = readLife(life);
    return read ? [[template, read] as const] : [];
  });
  return new Map(lives.slice(0, MOST_TEMPLATES));
}

function readLife(value: unknown): PodLife | undefined {
  if (!isObject(value)) return undefined;
  const { seconds, ended, cpu, memoryGib } = value;
  const learnedAtMs = parseTime(value['learned']) ?? 0;
  return isAmount(seconds) && isAmount(ended) && isAmount(cpu) && isAmount(memoryGib)
    ? { seconds, ended, cpu, memoryGib, learnedAtMs }
    : undefined;
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < Infinity;
}
