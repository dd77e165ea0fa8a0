/**
 * Owns the fingerprint of a pod: everything that readPod (pod.ts) reads of it, and nothing else, so that two pods with
 * the same fingerprint are the same pod to every decision. Made without reading the pod, because that is what it saves;
 * a test holds the two to each other.
 */
import { isObject } from './json.ts';
import { hashText } from './text-hash.ts';

/**
 * The texts of a pod in the order in which they are read, undefined where there is none. Before each list and map stands
 * how many follow, so that nothing that a tenant writes can be taken for what comes after it.
 */
export type PodFingerprint = readonly Part[];

type Part = string | number | undefined;

/**
 * @param value the `object` of an AdmissionRequest
 * @param namespace the namespace of the request
 * @returns undefined for anything out of the ordinary, which readPod may refuse
 */
export function podFingerprint(value: unknown, namespace: string | undefined): PodFingerprint | undefined {
  if (!isObject(value) || namespace === undefined) return undefined;
  const { metadata, spec } = value;
  if (!isObject(metadata) || !isObject(spec)) return undefined;
  const all: Part[] = [namespace];
  const isOrdinary =
    addTexts(all, metadata['labels']) &&
    addTexts(all, metadata['annotations']) &&
    addText(all, spec['nodeName']) &&
    addTexts(all, spec['nodeSelector']) &&
    addContainers(all, spec['initContainers']) &&
    addContainers(all, spec['containers']);
  return isOrdinary ? all : undefined;
}

function addText(all: Part[], value: unknown): boolean {
  if (value !== undefined && typeof value !== 'string') return false;
  all.push(value);
  return true;
}

function addTexts(all: Part[], value: unknown): boolean {
  if (value === undefined) return addText(all, value);
  if (!isObject(value)) return false;
  const keys = Object.keys(value);
  all.push(keys.length);
  for (const key of keys) {
    all.push(key);
    const item = value[key];
    if (typeof item !== 'string') return false;
    all.push(item);
  }
  return true;
}

function addContainers(all: Part[], value: unknown): boolean {
  if (value === undefined) return addText(all, value);
  if (!Array.isArray(value)) return false;
  all.push(value.length);
  for (const item of value) {
    if (!isObject(item)) return false;
    const isOrdinary =
      addText(all, item['name']) && addText(all, item['image']) && addText(all, item['imagePullPolicy']);
    if (!isOrdinary) return false;
  }
  return true;
}

/** A number by which a fingerprint is found; others may have it too. */
export function hashOf(fingerprint: PodFingerprint): number {
  let hash: number | undefined;
  for (const part of fingerprint) if (typeof part === 'string') hash = hashText(part, hash);
  return hash ?? 0;
}

/** Letters. */
export function lengthOf(fingerprint: PodFingerprint): number {
  return fingerprint.reduce<number>((sum, part) => sum + (typeof part === 'string' ? part.length : 0), 0);
}
