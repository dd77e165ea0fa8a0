/**
 * Owns the fingerprint of a pod: a text of everything that readPod (pod.ts) reads of it, and of nothing else, so that
 * two pods with the same fingerprint are the same pod to every decision. Made without reading the pod, because that is
 * what it saves; a test holds the two to each other.
 */
import { isObject } from './json.ts';

/**
 * @param value the `object` of an AdmissionRequest
 * @param namespace the namespace of the request
 * @returns undefined for anything out of the ordinary, which readPod may refuse
 */
export function podFingerprint(value: unknown, namespace: string | undefined): string | undefined {
  if (!isObject(value) || namespace === undefined) return undefined;
  const { metadata, spec } = value;
  if (!isObject(metadata) || !isObject(spec)) return undefined;
  const parts = [
    text(namespace),
    texts(metadata['labels']),
    texts(metadata['annotations']),
    text(spec['nodeName']),
    texts(spec['nodeSelector']),
    containers(spec['initContainers']),
    containers(spec['containers']),
  ];
  let all = '';
  for (const part of parts) {
    if (part === undefined) return undefined;
    all += part;
  }
  return all;
}

const ABSENT = '-';

/** With its length before it, so that what a tenant writes into it cannot be taken for what comes after. */
function text(value: unknown): string | undefined {
  if (value === undefined) return ABSENT;
  return typeof value === 'string' ? `${value.length}:${value}` : undefined;
}

function texts(value: unknown): string | undefined {
  if (value === undefined) return ABSENT;
  if (!isObject(value)) return undefined;
  let all = '{';
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (typeof item !== 'string') return undefined;
    all += `${key.length}:${key}${item.length}:${item}`;
  }
  return `${all}}`;
}

function containers(value: unknown): string | undefined {
  if (value === undefined) return ABSENT;
  if (!Array.isArray(value)) return undefined;
  let all = '[';
  for (const item of value) {
    if (!isObject(item)) return undefined;
    const [name, image, policy] = [text(item['name']), text(item['image']), text(item['imagePullPolicy'])];
    if (name === undefined || image === undefined || policy === undefined) return undefined;
    all += `${name}${image}${policy};`;
  }
  return `${all}]`;
}
