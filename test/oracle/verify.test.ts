/**
 * The decision against the stand-in's own matcher, asked by the vendor's SDK over HTTP: for ten thousand random pods each
 * difference follows from a rule that the matcher does not know.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { verify, whyNotAsked, type Verification } from '../../src/core/decision/verification.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';
import { nodeObject, NOW } from '../support/objects.ts';
import { playRegion, useKey } from '../support/region.ts';
import { decideAsked, toObject } from './asking.ts';
import { event, options, pod } from './worlds.ts';

const WORLDS = 250;
const PODS = 40;
const SEED = 28;

beforeAll(() => useKey());
afterAll(() => vi.unstubAllEnvs());

it('of ten thousand random pods none differs, but for rules that the matcher does not know', async () => {
  const played = await playRegion();
  const api = played.connect();
  const worlds = fc.sample(fc.tuple(fc.array(event, { minLength: 1, maxLength: 24, size: 'max' }), options), {
    seed: SEED,
    numRuns: WORLDS,
  });
  const pods = fc.sample(pod, { seed: SEED, numRuns: WORLDS * PODS });
  const verdicts = new Map<string, number>();
  const rules = new Set<string>();
  for (const [i, [events, chosen]] of worlds.entries()) {
    const index = new ClusterIndex();
    index.confirm(NOW);
    readEntry(readManifest(nodeObject('worker', {}, chosen.sizes))).apply(index);
    // In a region no two caches have one ID.
    const caches = events.flatMap((each) => ('apply' in each ? [each.apply] : []));
    const distinct = new Map(
      caches.map((each) => [each.name, { ...each, id: each.id === null ? null : `imc-${each.name}` }]),
    );
    const objects = Array.from(distinct.values(), toObject);
    for (const object of objects) readEntry(readManifest(object)).apply(index);
    played.region.setCluster(objects, chosen.sizes);
    const phases = new Map(played.region.caches().map(({ id, phase }) => [id, phase]));
    const checks = pods.slice(i * PODS, (i + 1) * PODS).map(async (random): Promise<Verification> => {
      // The matcher is not asked about pods that pin a cache.
      const asked = { ...random, pin: null };
      const { decision } = decideAsked(index, asked, chosen);
      expect(whyNotAsked(decision)).toBeUndefined();
      const { images, perfect, count } = asked;
      const found = await api.match({ images, perfect, count: count ?? undefined });
      const matched = found.map((cache) => String(cache['ImageCacheId']));
      return verify(decision, index, { matched, phases, isRegionRead: false });
    });
    // oxlint-disable-next-line no-await-in-loop -- the region has the caches of one world at a time
    for (const verification of await Promise.all(checks)) {
      expect(verification.verdict, JSON.stringify(verification)).not.toBe('differs');
      verdicts.set(verification.verdict, (verdicts.get(verification.verdict) ?? 0) + 1);
      for (const rule of verification.rules) rules.add(rule);
    }
  }
  expect((verdicts.get('agrees') ?? 0) + (verdicts.get('differs by rule') ?? 0)).toBe(WORLDS * PODS);
  expect(verdicts.get('agrees')).toBeGreaterThan((WORLDS * PODS) / 2);
  expect(verdicts.get('differs by rule')).toBeGreaterThan(1000);
  for (const rule of [
    'TooLarge',
    'Expiring',
    'OtherArchitecture',
    'OtherOperatingSystem',
    'OtherRegion',
    'BeingDeleted',
  ])
    expect(rules).toContain(rule);
  expect(played.calls.length).toBeGreaterThanOrEqual(WORLDS * PODS);
}, 120_000);
