/**
 * Measures pods and clusters that are made to be slow: the time from a parsed review to its response, compared with the
 * JSON.parse of the review.
 */
import { decide } from '../../src/core/decision/decide.ts';
import { byKey, parseImageReference } from '../../src/core/image/reference.ts';
import { GIB } from '../../src/core/kubernetes/quantity.ts';
import { readPod } from '../../src/core/pod.ts';
import type { ImageCache } from '../../src/core/image-cache.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { encodeResponse } from '../../src/webhook/admission-review.ts';
import { patchFor } from '../../src/webhook/json-patch.ts';
import { admissionReview, asSubmitted } from '../support/admission.ts';
import { DEFAULT_CONFIG } from '../support/default-config.ts';
import { indexedCache, podObject } from '../support/objects.ts';
import { median, type Row } from './measure.ts';
import { randomFrom } from './population.ts';

const CACHES = 10_000;
const IMAGES_PER_CACHE = 20;
/** Few distinct images, so that nearly every cache shares images with every pod. */
const POOL = 200;
const NOW = Date.parse('2026-11-25T12:00:00Z');
/** The most time that is allowed: a multiple of the parsing, plus some milliseconds. */
const ALLOWED = { timesParse: 2, milliseconds: 2 };
const REPEATED = 20;

const image = (i: number): string => `registry.example.com/pool/image-${i}:v1`;

function indexOf(change: Partial<ImageCache>): ClusterIndex {
  const random = randomFrom(5);
  const pool = Array.from({ length: POOL }, (_, i) => parseImageReference(image(i))!);
  const index = new ClusterIndex();
  for (let i = 0; i < CACHES; i++) {
    const chosen = new Set<(typeof pool)[number]>();
    while (chosen.size < IMAGES_PER_CACHE) chosen.add(pool[Math.floor(random() * POOL)]!);
    const images = [...chosen].toSorted(byKey);
    index.imageCaches.apply(indexedCache(i, { images, ...change }));
  }
  index.confirm(NOW);
  return index;
}

const CLUSTERS: Readonly<Record<string, Partial<ImageCache>>> = {
  'larger than the storage': { sizeBytes: 500 * GIB },
  'in another region': { region: 'elsewhere' },
  'about to expire': { expiresAtMs: NOW + 1 },
  'not Ready': { phase: 'Creating' },
  'of use': {},
};
const PODS: Readonly<Record<string, Record<string, string>>> = {
  '20 images': {},
  '20 images, all wanted': { 'k8s.aliyun.com/imc-perfect-match': 'true' },
};

/** @returns a row for each kind of cluster and pod */
export function measureWorstCases(rounds: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [state, change] of Object.entries(CLUSTERS)) {
    const index = indexOf(change);
    for (const [what, annotations] of Object.entries(PODS)) {
      const images = Array.from({ length: 20 }, (_, i) => image(i));
      const pod = asSubmitted(podObject({ images, annotations }), 'default');
      const text = JSON.stringify(admissionReview(pod));
      const options = { ...DEFAULT_CONFIG, region: { ...DEFAULT_CONFIG.region, name: 'here' } };
      const takes = Array.from({ length: rounds * REPEATED }, () => measureOnce(text, index, options));
      const took = median(takes.map((each) => each.took));
      const parse = median(takes.map((each) => each.parse));
      rows.push({
        section: 'worst',
        what: `10,000 caches ${state}: ${what}`,
        figure: took * 1000,
        unit: 'µs',
        ratio: took / (ALLOWED.timesParse * parse + ALLOWED.milliseconds),
        goal: { atMost: 1 },
        note: 'of twice JSON.parse and 2 ms',
      });
    }
  }
  return Promise.resolve(rows);
}

function measureOnce(
  text: string,
  index: ClusterIndex,
  options: typeof DEFAULT_CONFIG,
): { took: number; parse: number } {
  const began = performance.now();
  const { request } = JSON.parse(text) as { request: { object: unknown; namespace: string } };
  const parsed = performance.now();
  const pod = readPod(request.object, request.namespace);
  const decision = decide(pod, index, options, NOW);
  encodeResponse(decision, patchFor(pod, decision));
  return { took: performance.now() - parsed, parse: parsed - began };
}
