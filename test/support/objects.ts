/** Makes the objects that tests use: pods, ImageCaches and others, and an index that is up to date. */
import { DEFAULT_CONFIG } from './default-config.ts';
import { patchFor, type Operation } from '../../src/webhook/json-patch.ts';
import { decideOnJson, type Decision } from '../../src/core/decision/decide.ts';
import { explanationOf, type Explanation } from '../../src/core/decision/explanation.ts';
import type { DecisionOptions } from '../../src/core/decision/options.ts';
import { NOT_ASKED, type ImageCache } from '../../src/core/image-cache.ts';
import type { Pod } from '../../src/core/pod.ts';
import { GIB } from '../../src/core/kubernetes/quantity.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';

export const NOW = Date.parse('2026-11-21T12:00:00Z');

export type Json = Record<string, unknown>;

export interface PodSpec {
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly images?: readonly string[];
  readonly namespace?: string;
  readonly spec?: Json;
  readonly pullPolicy?: string;
}

/** A pod with one container for each image, which is labelled for ECI unless `pod` has other labels. */
export function podObject(pod: PodSpec = {}): Json {
  const containers = (pod.images ?? ['app:1']).map((image, i) => ({
    name: `c${i}`,
    image,
    ...(pod.pullPolicy !== undefined && { imagePullPolicy: pod.pullPolicy }),
  }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'pod',
      namespace: pod.namespace ?? 'default',
      labels: pod.labels ?? { 'alibabacloud.com/eci': 'true' },
      annotations: pod.annotations ?? {},
    },
    spec: { containers, ...pod.spec },
  };
}

export interface CacheSpec {
  readonly name: string;
  readonly images?: readonly string[];
  readonly id?: string | null;
  readonly size?: number;
  readonly phase?: string;
  readonly progress?: string;
  readonly created?: string;
  readonly expires?: string;
  readonly deleting?: boolean;
  readonly region?: string;
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
}

const ENDED: ReadonlySet<string> = new Set(['Ready', 'Failed']);

/** An ImageCache that is Ready, with 20 GiB and the ID `imc-NAME`, unless `cache` says otherwise. */
export function cacheObject(cache: CacheSpec): Json {
  return {
    apiVersion: 'eci.alibabacloud.com/v1',
    kind: 'ImageCache',
    metadata: {
      name: cache.name,
      // A cache in the making is two minutes old.
      creationTimestamp:
        cache.created ??
        (ENDED.has(cache.phase ?? 'Ready') ? '2026-11-01T00:00:00Z' : '2026-11-21T11:58:00Z'),
      ...(cache.deleting === true && { deletionTimestamp: '2026-11-21T11:59:00Z' }),
      ...(cache.annotations && { annotations: cache.annotations }),
      ...(cache.region !== undefined && { labels: { 'topology.kubernetes.io/region': cache.region } }),
      ...(cache.labels && { labels: cache.labels }),
    },
    spec: { images: cache.images ?? ['app:1'], imageCacheSize: cache.size ?? 20 },
    status: {
      ...(cache.id !== null && { imageCacheId: cache.id ?? `imc-${cache.name}` }),
      phase: cache.phase ?? 'Ready',
      progress: cache.progress ?? '100%',
      ...(cache.expires !== undefined && { expireDateTime: cache.expires }),
    },
  };
}

/** An ImageCache in the index's form: Ready, 20 GiB, without images, unless `change` says otherwise. */
export function indexedCache(i: number, change: Partial<ImageCache> = {}): ImageCache {
  return {
    name: `cache-${i}`,
    id: `imc-${i}`,
    images: [],
    sizeBytes: 20 * GIB,
    phase: 'Ready',
    progress: '100%',
    createdAtMs: i,
    expiresAtMs: undefined,
    deleting: false,
    retiring: false,
    region: undefined,
    architecture: 'amd64',
    operatingSystem: 'linux',
    madeByController: false,
    namespaces: undefined,
    namespaceUid: undefined,
    secretNamespaces: '',
    hasRegistryCredentials: false,
    insecureRegistries: '',
    ...NOT_ASKED,
    ...change,
  };
}

export function namespaceObject(name: string, labels: Record<string, string>): Json {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

export function nodeObject(
  name: string,
  labels: Record<string, string>,
  sizes: Record<string, number> = {},
): Json {
  const images = Object.entries(sizes).map(([image, sizeBytes]) => ({ names: [image], sizeBytes }));
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, status: { images } };
}

export function selectorObject(name: string, spec: Json): Json {
  return { apiVersion: 'eci.aliyun.com/v1', kind: 'Selector', metadata: { name }, spec };
}

export function eciProfileObject(selectors: string | readonly Json[]): Json {
  const text = typeof selectors === 'string' ? selectors : JSON.stringify(selectors);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'eci-profile', namespace: 'kube-system' },
    data: { selectors: text },
  };
}

/** An index that holds these objects and was confirmed just now. */
export function indexOf(...objects: readonly Json[]): ClusterIndex {
  const index = new ClusterIndex();
  for (const object of objects) readEntry(readManifest(object)).apply(index);
  index.confirm(NOW);
  return index;
}

/** A change to the default options; `pin` and `createOnMiss` may be given in part, too. */
export type ConfigChange = Partial<Omit<DecisionOptions, 'pin' | 'createOnMiss'>> & {
  readonly pin?: Partial<DecisionOptions['pin']>;
  readonly createOnMiss?: Partial<DecisionOptions['createOnMiss']>;
};

export function configWith(change: ConfigChange = {}): DecisionOptions {
  return {
    ...DEFAULT_CONFIG,
    ...change,
    pin: { ...DEFAULT_CONFIG.pin, ...change.pin },
    createOnMiss: { ...DEFAULT_CONFIG.createOnMiss, ...change.createOnMiss },
  };
}

export interface Decided {
  readonly decision: Decision;
  readonly explanation: Explanation & { readonly patch: readonly Operation[] };
  readonly seen: Pod;
  readonly annotations: Record<string, string>;
  readonly labels: Record<string, string>;
}

/** The decision for a pod object, and the annotations and labels that the pod then has. */
export function decideFor(object: Json, index: ClusterIndex, change: ConfigChange = {}, now = NOW): Decided {
  const { seen, decision } = decideOnJson(object, undefined, index, configWith(change), now);
  return {
    decision,
    explanation: { ...explanationOf(decision), patch: patchFor(seen, decision) },
    seen,
    annotations: Object.fromEntries(decision.pod.annotations),
    labels: Object.fromEntries(decision.pod.labels),
  };
}
