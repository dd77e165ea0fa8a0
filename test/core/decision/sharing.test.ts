/** Whose cache: who is given an ImageCache, and who sees that it exists. */
import { describe, expect, it } from 'vitest';
import { surveyCandidates } from '../../../src/core/decision/match/matcher.ts';
import { ownerOf, type Owner, type Sharing } from '../../../src/core/decision/sharing.ts';
import type { ImageCache } from '../../../src/core/image-cache.ts';
import {
  cacheObject,
  decideFor,
  indexedCache,
  indexOf,
  podObject,
  type ConfigChange,
  type Json,
} from '../../support/objects.ts';

const OWN = 'imagecache-webhook.io/';
const P = 'k8s.aliyun.com/';
const PIN = `${P}eci-imc-id`;

describe('a cache', () => {
  const byController = { madeByController: true };
  it.each<[string, Partial<ImageCache>, Sharing, Owner]>([
    ['made by hand is everybody’s', {}, 'namespace', 'everybody'],
    ['made by hand with secrets is everybody’s', { secretNamespaces: 'a' }, 'namespace', 'everybody'],
    [
      'made by hand with secrets is theirs if strict',
      { secretNamespaces: 'a' },
      'strict',
      'others by secrets',
    ],
    [
      'made by hand with own secrets is the tenant’s if strict',
      { secretNamespaces: 'a,team' },
      'strict',
      'the tenant',
    ],
    ['made by the controller without credentials is everybody’s', byController, 'namespace', 'everybody'],
    ['that names the namespace is the tenant’s', { namespaces: 'a,team' }, 'namespace', 'the tenant'],
    ['that names others is theirs', { namespaces: 'a,b' }, 'namespace', 'others'],
    ['that names nobody is nobody’s', { namespaces: '' }, 'namespace', 'others'],
    ['that names others is everybody’s with cluster', { namespaces: 'a' }, 'cluster', 'everybody'],
    ['of the same namespace', { namespaces: 'team', namespaceUid: 'u1' }, 'namespace', 'the tenant'],
    ['of a namespace that was made anew', { namespaces: 'team', namespaceUid: 'u0' }, 'namespace', 'others'],
    [
      'of an earlier release is that of its secrets',
      { ...byController, secretNamespaces: 'team' },
      'namespace',
      'the tenant',
    ],
    [
      'of an earlier release with secrets of others is theirs',
      { ...byController, secretNamespaces: 'a' },
      'namespace',
      'others',
    ],
    [
      'of an earlier release with ACR credentials alone is nobody’s',
      { ...byController, hasRegistryCredentials: true },
      'namespace',
      'others',
    ],
  ])('%s', (_title, cache, sharing, owner) => {
    const tenant = { namespace: 'team', namespaceUid: 'u1', sharing };
    expect(ownerOf(indexedCache(1, cache), tenant)).toBe(owner);
  });
});

/** A Ready cache of team-a, and a pod of team-b with the same image. */
const PRIVATE = cacheObject({ name: 'secret-name', annotations: { [`${OWN}namespaces`]: 'team-a' } });
const CREATING = cacheObject({
  name: 'secret-coming',
  phase: 'Creating',
  annotations: { [`${OWN}namespaces`]: 'team-a' },
});
const of = (namespace: string, annotations: Record<string, string> = {}): Json =>
  podObject({ namespace, annotations });

describe('a cache of another namespace', () => {
  it('is given to its own namespace', () => {
    expect(decideFor(of('team-a'), indexOf(PRIVATE)).decision.cacheId).toBe('imc-secret-name');
  });

  it('leaves no trace in the decision: not in words, counts, candidates, annotations or warnings', () => {
    const { decision, explanation, annotations } = decideFor(of('team-b'), indexOf(PRIVATE, CREATING));
    const nothing = decideFor(of('team-b'), indexOf());
    expect(annotations).toEqual(nothing.annotations);
    expect(explanation).toEqual(nothing.explanation);
    expect(decision.match?.refused.size).toBe(0);
    expect(JSON.stringify([explanation, annotations])).not.toContain('secret');
  });

  it('does not keep the tenant from a cache that is everybody’s and worse', () => {
    const pod = podObject({ namespace: 'team-b', images: ['app:1', 'b:1'] });
    const both = cacheObject({
      name: 'both',
      images: ['app:1', 'b:1'],
      annotations: { [`${OWN}namespaces`]: 'team-a' },
    });
    const { decision } = decideFor(pod, indexOf(both, cacheObject({ name: 'x' })), { partialHits: 'use' });
    expect(decision.cacheId).toBe('imc-x');
    expect(decision.why).not.toContain('both');
  });

  it('is shown by imc explain, which reads with the rights of its reader', () => {
    const index = indexOf(PRIVATE);
    const { decision } = decideFor(of('team-b'), index);
    const [verdict] = surveyCandidates(decision.match!, index, 5);
    expect(verdict?.refusal).toMatchObject({ code: 'NotShared', message: expect.stringContaining('team-a') });
  });

  it('that is pinned is denied, naming the ID alone, whatever pin.notReady says', () => {
    for (const notReady of ['deny', 'warn', 'auto'] as const) {
      for (const cache of [PRIVATE, CREATING]) {
        const { name } = cache['metadata'] as { name: string };
        const { decision } = decideFor(of('team-b', { [PIN]: `imc-${name}` }), indexOf(cache), {
          pin: { notReady },
        });
        expect(decision).toMatchObject({ outcome: 'denied', reason: 'NotShared', cache: undefined });
        expect(decision.why).toBe(
          `image cache "imc-${name}" belongs to another namespace: remove ${PIN}, or ask for one of your own`,
        );
      }
    }
  });

  it('that is pinned is not denied while the index is stale', () => {
    const pod = of('team-b', { [PIN]: 'imc-secret-name' });
    const { decision } = decideFor(pod, indexOf(PRIVATE), { maxStalenessMs: -1 });
    expect(decision).toMatchObject({ outcome: 'pinned', reason: 'PinnedUnchecked' });
  });

  it('does not hide a cache that is everybody’s and claims the same ID', () => {
    const shared = cacheObject({ name: 'z', id: 'imc-secret-name' });
    const pod = of('team-b', { [PIN]: 'imc-secret-name' });
    expect(decideFor(pod, indexOf(PRIVATE, shared)).decision).toMatchObject({
      outcome: 'pinned',
      cache: { name: 'z' },
    });
  });

  it('by its pull secrets alone is kept with a warning if it is pinned, and is not matched (strict)', () => {
    const object = cacheObject({ name: 'x' });
    const cache = { ...object, spec: { ...(object['spec'] as Json), imagePullSecrets: ['team-a:regcred'] } };
    const change: ConfigChange = { sharing: { mode: 'strict' } };
    const pinned = decideFor(of('team-b', { [PIN]: 'imc-x' }), indexOf(cache), change).decision;
    expect(pinned).toMatchObject({ outcome: 'pinned' });
    expect(pinned.warnings).toEqual([
      'image cache "imc-x" is kept unchecked: it was made with pull secrets of another namespace',
    ]);
    expect(pinned.cache).toBeUndefined();
    expect(decideFor(of('team-b'), indexOf(cache), change).decision.outcome).toBe('miss');
    expect(decideFor(of('team-a'), indexOf(cache), change).decision.outcome).toBe('hit');
    expect(decideFor(of('team-b'), indexOf(cache)).decision.outcome).toBe('hit');
  });
});

describe('a cache from an insecure registry', () => {
  const insecure = { [`${P}insecure-registry`]: 'registry.corp' };
  const index = indexOf(cacheObject({ name: 'x', annotations: insecure }));

  it('is given to pods with the same annotation alone', () => {
    expect(decideFor(of('a', insecure), index).decision.outcome).toBe('hit');
    expect(decideFor(of('a'), index).explanation).toMatchObject({
      outcome: 'miss',
      refused: { OtherRegistry: 1 },
    });
    const other = { [`${P}insecure-registry`]: 'other.corp' };
    expect(decideFor(of('a', other), index).decision.outcome).toBe('miss');
  });

  it('is given to no pod if the annotation is longer than what is compared', () => {
    const long = { [`${P}insecure-registry`]: 'r'.repeat(5000) };
    expect(
      decideFor(of('a', long), indexOf(cacheObject({ name: 'x', annotations: long }))).decision.outcome,
    ).toBe('miss');
  });

  it('is the only kind that the annotation of a pod is compared with', () => {
    expect(decideFor(of('a', insecure), indexOf(cacheObject({ name: 'y' }))).decision.outcome).toBe('hit');
  });
});
