/** A pod with our own output gets the answer that a fresh pod gets. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClusterIndex } from '../../../src/index/cluster-index.ts';
import {
  cacheObject,
  decideFor,
  eciProfileObject,
  indexOf,
  podObject,
  selectorObject,
  type ConfigChange,
  type Json,
} from '../../support/objects.ts';
import { applied } from '../../support/patch.ts';

const P = 'k8s.aliyun.com/';
const DECISION = 'imagecache-webhook.io/decision';
const WAIT = 'imagecache-webhook.io/wait-for-cache';
const IMAGES = ['a:1', 'a:2', 'b:1', 'c:1', 'c', 'NOT VALID'];

const value = fc.constantFrom('true', 'false', '1', 'nonsense');
const id = fc.constantFrom('imc-x', 'imc-y', 'imc-unknown', '');
const annotations = fc.record(
  {
    [`${P}eci-imc-id`]: id,
    [`${P}eci-image-snapshot-id`]: id,
    [`${P}eci-auto-imc`]: value,
    [`${P}eci-image-cache`]: value,
    [`${P}imc-perfect-match`]: value,
    [`${P}imc-match-count-request`]: fc.constantFrom('1', '2', '0'),
    [`${P}eci-extra-ephemeral-storage`]: fc.constantFrom('10Gi', 'much'),
    'team/annotation': fc.constantFrom('mine', 'effect'),
    [WAIT]: fc.constantFrom('5m', 'soon'),
  },
  { requiredKeys: [] },
);
const containers = fc.array(
  fc.record({
    image: fc.constantFrom(...IMAGES),
    imagePullPolicy: fc.constantFrom('Always', 'IfNotPresent'),
  }),
  { minLength: 1, maxLength: 3 },
);
const pod = fc
  .record({ annotations, containers, eci: fc.boolean(), app: fc.constantFrom('web', 'job') })
  .map(({ annotations: written, containers: list, eci, app }): Json => {
    const object = podObject({ annotations: written, labels: { app, ...(eci && { eci: 'true' }) } });
    object['spec'] = { containers: list.map((container, i) => ({ name: `c${i}`, ...container })) };
    return object;
  });
const cache = fc.record({
  name: fc.constantFrom('x', 'y', 'z'),
  images: fc.array(fc.constantFrom('a:1', 'a:2', 'b:1', 'c:1', 'c'), { minLength: 1, maxLength: 3 }),
  phase: fc.constantFrom('Ready', 'Ready', 'Creating'),
  size: fc.constantFrom(20, 40),
});
const profile = fc.constantFrom<Json[]>(
  [],
  [
    eciProfileObject([
      {
        name: 's',
        effect: {
          annotations: { 'team/annotation': 'effect', [`${P}eci-auto-imc`]: 'true' },
          labels: { added: 'label' },
        },
      },
    ]),
  ],
  [
    selectorObject('s', {
      objectLabels: { matchLabels: { app: 'web' } },
      effect: { annotations: { [`${P}eci-image-cache`]: 'true' }, labels: { added: 'label' } },
    }),
  ],
);
const index = fc
  .record({ caches: fc.uniqueArray(cache, { selector: ({ name }) => name, maxLength: 3 }), profile })
  .map((made) => {
    const view = indexOf(...made.caches.map(cacheObject), ...made.profile);
    view.controllerLease.assume();
    return view;
  });
const change: fc.Arbitrary<ConfigChange> = fc.record({
  scope: fc.constantFrom('eci', 'all'),
  dialect: fc.constantFrom('modern', 'legacy', 'both'),
  minimumMatch: fc.constantFrom('image', 'repository'),
  pullPolicy: fc.constantFrom('warn', 'keep', 'enforce'),
  onInvalidAnnotation: fc.constantFrom('warn', 'deny'),
  pin: fc.record({
    notReady: fc.constantFrom('deny', 'warn', 'auto'),
    unknown: fc.constantFrom('warn', 'deny'),
  }),
  partialHits: fc.constantFrom('auto', 'use', 'leave'),
  imageVolumes: fc.constantFrom('ignore', 'count'),
  waitForCache: fc.constantFrom('never', 'allow'),
  createOnMiss: fc.record({
    when: fc.constantFrom('no-match', 'incomplete'),
    by: fc.constantFrom('eci', 'controller', 'auto'),
  }),
});

/** The pod as the API server would have it after our patch. */
function mutate(object: Json, view: ClusterIndex, config: ConfigChange): Json {
  const { explanation } = decideFor(object, view, config);
  return applied(object, explanation.patch);
}

function withSidecar(object: Json, image: string): Json {
  const spec = object['spec'] as { containers: Json[] };
  const sidecar = { name: 'sidecar', image, imagePullPolicy: 'Always' };
  return { ...object, spec: { ...spec, containers: [...spec.containers, sidecar] } };
}

function isDenied(object: Json, view: ClusterIndex, config: ConfigChange): boolean {
  return decideFor(object, view, config).decision.outcome === 'denied';
}

/** `denied`, or the pod's metadata, gates and pull policies after our patch, which changes nothing else. */
function outcome(object: Json, view: ClusterIndex, config: ConfigChange): unknown {
  if (isDenied(object, view, config)) return 'denied';
  const { metadata, spec } = mutate(object, view, config) as {
    metadata: Json;
    spec: { containers: Json[]; schedulingGates?: unknown };
  };
  return [metadata, spec.schedulingGates, spec.containers.map((container) => container['imagePullPolicy'])];
}

describe('mutating twice', () => {
  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(pod, index, change, (object, view, config) => {
        const once = mutate(object, view, config);
        expect(decideFor(once, view, config).explanation.patch).toEqual([]);
      }),
      { numRuns: 1500 },
    );
  });

  it('with a container added in between gives what a fresh pod with that container gets', () => {
    fc.assert(
      fc.property(pod, index, change, fc.constantFrom(...IMAGES), (object, view, changed, image) => {
        // A pull policy that was enforced stays, because a record must not change one.
        const config = { ...changed, pullPolicy: 'warn' } as const;
        const fresh = withSidecar(object, image);
        const again = withSidecar(mutate(object, view, config), image);
        fc.pre(!isDenied(object, view, config) && !isDenied(fresh, view, config));
        expect(mutate(again, view, config)).toEqual(mutate(fresh, view, config));
      }),
      { numRuns: 1500 },
    );
  });
});

describe('a manifest copied from a live pod', () => {
  it('gives what a fresh pod gets, whatever the caches and the options are by then', () => {
    fc.assert(
      fc.property(
        pod,
        index,
        change,
        fc.uniqueArray(cache, { selector: ({ name }) => name, maxLength: 3 }),
        change,
        (object, view, first, later, changed) => {
          const config = { ...first, pullPolicy: 'warn' } as const;
          const laterConfig = { ...changed, ...(config.scope && { scope: config.scope }) };
          fc.pre(!isDenied(object, view, config));
          const copy = mutate(object, view, config);
          // The caches are others, the profile is the same, and so is whom it is for: what it added stays.
          const laterView = indexOf(...later.map(cacheObject));
          Object.defineProperty(laterView, 'profile', { value: () => view.profile() });
          expect(outcome(copy, laterView, laterConfig)).toEqual(outcome(object, laterView, laterConfig));
        },
      ),
      // In two of five runs the pod is not denied later: in some 3,000 runs the metadata are compared.
      { numRuns: 2500 },
    );
  });

  it('makes a new request if its user changed what the webhook wrote', () => {
    const view = indexOf(cacheObject({ name: 'x' }), cacheObject({ name: 'y', size: 25 }));
    const copy = mutate(podObject({ annotations: { [`${P}eci-auto-imc`]: 'true' } }), view, {});
    const written = (copy['metadata'] as { annotations: Record<string, string> }).annotations;
    expect(written[`${P}eci-imc-id`]).toBe('imc-x');
    written[`${P}eci-imc-id`] = 'imc-y';
    expect(decideFor(copy, view).decision).toMatchObject({ outcome: 'pinned', cacheId: 'imc-y' });
    written[`${P}eci-auto-imc`] = 'false';
    delete written[`${P}eci-imc-id`];
    expect(decideFor(copy, view).decision).toMatchObject({ outcome: 'skipped', reason: 'AutoMatchOff' });
  });

  it('loses what the webhook wrote if a fresh pod would be left alone', () => {
    const view = indexOf(cacheObject({ name: 'x' }));
    const copy = mutate(podObject({ labels: { eci: 'true' } }), view, {});
    (copy['metadata'] as Json)['labels'] = {};
    expect(mutate(copy, view, {})).toEqual(podObject({ labels: {} }));
  });
});

describe('a decision annotation that is not ours', () => {
  it.each([
    '',
    'x',
    '{}',
    '[]',
    'null',
    '{"wrote":1}',
    '{"wrote":{"annotations":[1]}}',
    '{"wrote":{},"request":[]}',
    '{"wrote":{"labels":{"a":1}}}',
  ])('%j is ignored and replaced', (text) => {
    const view = indexOf(cacheObject({ name: 'x' }));
    const { annotations: after } = decideFor(
      podObject({ annotations: { [DECISION]: text, keep: 'me' } }),
      view,
    );
    expect(after).toEqual({ ...decideFor(podObject({ annotations: { keep: 'me' } }), view).annotations });
  });

  it('cannot make us remove what is not ours', () => {
    const forged = JSON.stringify({
      request: { 'policy/guard': 'off' },
      wrote: { annotations: { 'policy/guard': 'on', a: 'b' }, labels: { team: 'x', eci: 'true' } },
    });
    const view = indexOf(cacheObject({ name: 'x' }));
    const object = podObject({
      annotations: { 'policy/guard': 'on', a: 'b', [DECISION]: forged },
      labels: { team: 'x', eci: 'true' },
    });
    const { annotations: after, labels } = decideFor(object, view);
    expect(after).toMatchObject({ 'policy/guard': 'on', a: 'b' });
    expect(labels).toMatchObject({ team: 'x', eci: 'true' });
  });

  it('cannot take out or replace what another webhook has set, also if a profile writes the same keys', () => {
    const P_GROUP = `${P}eci-security-group`;
    const forged = JSON.stringify({
      request: { [P_GROUP]: 'sg-open', [`${P}eci-ram-role-name`]: 'admin' },
      wrote: {
        annotations: { [P_GROUP]: 'sg-restricted', [`${P}eci-ram-role-name`]: null },
        labels: { quarantine: 'yes' },
      },
    });
    const profiles = [
      { name: 'same', effect: { annotations: { [P_GROUP]: 'sg-open' }, labels: { quarantine: 'no' } } },
      {
        name: 'other',
        objectSelector: { matchLabels: { never: 'there' } },
        effect: { annotations: { [`${P}eci-ram-role-name`]: 'r' } },
      },
    ];
    const view = indexOf(cacheObject({ name: 'x' }), eciProfileObject(profiles));
    const object = podObject({
      annotations: { [P_GROUP]: 'sg-restricted', [DECISION]: forged },
      labels: { eci: 'true', quarantine: 'yes' },
    });
    for (const each of [object, { ...object, spec: { containers: [{ name: 'c', image: 'unknown:1' }] } }]) {
      const { annotations: after, labels } = decideFor(each, view);
      expect(after[P_GROUP]).toBe('sg-restricted');
      expect(after).not.toHaveProperty([`${P}eci-ram-role-name`]);
      expect(labels).toMatchObject({ quarantine: 'yes' });
    }
    const notOurs = podObject({
      annotations: { [P_GROUP]: 'sg-restricted', [DECISION]: forged },
      labels: { quarantine: 'yes' },
    });
    expect(decideFor(notOurs, view).annotations[P_GROUP]).toBe('sg-restricted');
  });

  it.each(['warn', 'keep', 'enforce'] as const)(
    'cannot change a pull policy, with pullPolicy %s',
    (pullPolicy) => {
      const forged = JSON.stringify({ wrote: { annotations: {}, imagePullPolicy: ['c'] } });
      for (const labels of [{ eci: 'true' }, {}]) {
        const object = podObject({
          annotations: { [DECISION]: forged },
          labels,
          spec: { containers: [{ name: 'c', image: 'elsewhere:1', imagePullPolicy: 'IfNotPresent' }] },
        });
        const { explanation } = decideFor(object, indexOf(cacheObject({ name: 'x' })), { pullPolicy });
        expect(explanation.patch.filter(({ path }) => path.includes('imagePullPolicy'))).toEqual([]);
      }
    },
  );

  it('is not needed to remove a marker that a user wrote', () => {
    const marker = { 'imagecache-webhook.io/create-on-miss': 'forged' };
    const { annotations: after, labels } = decideFor(
      podObject({ annotations: marker, labels: { eci: 'true', ...marker } }),
      indexOf(cacheObject({ name: 'x' })),
    );
    expect({ ...after, ...labels }).not.toHaveProperty(['imagecache-webhook.io/create-on-miss']);
  });
});

describe('what the webhook writes is small enough for Kubernetes', () => {
  const HIT = indexOf(cacheObject({ name: 'x' }));
  const record = (decided: ReturnType<typeof decideFor>): string => decided.annotations[DECISION] ?? '';
  const bytesOf = (texts: Record<string, string>): number =>
    Object.entries(texts).reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0);
  const LIMIT = 262_144;

  it('a request of many kilobytes is not copied into the record', () => {
    const long = 'x '.repeat(5000);
    const decided = decideFor(podObject({ annotations: { [`${P}eci-imc-id`]: long } }), HIT);
    expect(decided.annotations[`${P}eci-imc-id`]).toBe('imc-x');
    expect(JSON.parse(record(decided))).toMatchObject({ outcome: 'hit', request: {} });
    expect(record(decided).length).toBeLessThan(1000);
  });

  it.each([1, 2, 3])('annotations of characters of %i bytes never exceed the limit', (width) => {
    const character = ['a', 'é', '中'][width - 1]!;
    const withFiller = (bytes: number): Json =>
      podObject({ annotations: { filler: character.repeat(Math.floor(bytes / width)) } });
    const seen = new Set<string>();
    for (let bytes = LIMIT - 700; bytes < LIMIT + 20; bytes += 7) {
      const object = withFiller(bytes);
      const { decision, annotations: written, explanation } = decideFor(object, HIT);
      const before = bytesOf((object['metadata'] as { annotations: Record<string, string> }).annotations);
      if (decision.reason === 'AnnotationsTooLarge') {
        seen.add('nothing');
        expect(explanation.patch).toEqual([]);
        expect(decision.warnings).toEqual([expect.stringContaining('nothing is written into the pod')]);
      } else {
        seen.add('why' in (JSON.parse(written[DECISION]!) as Json) ? 'all' : 'without the reason');
        expect(bytesOf(written)).toBeLessThanOrEqual(LIMIT);
        expect(before).toBeLessThan(LIMIT);
      }
    }
    expect([...seen]).toEqual(['all', 'without the reason', 'nothing']);
  });

  it('what was written is taken back if it no longer fits', () => {
    const first = decideFor(podObject(), HIT);
    const object = podObject({
      labels: first.labels,
      annotations: { ...first.annotations, filler: 'a'.repeat(LIMIT - 100) },
    });
    const again = decideFor(object, HIT);
    expect(again.decision.reason).toBe('AnnotationsTooLarge');
    expect(Object.keys(again.annotations)).toEqual(['filler']);
  });

  it('a long value of a profile is recorded by its digest, and stays when the profile changes', () => {
    const withProfile = (text: string): ClusterIndex =>
      indexOf(eciProfileObject([{ name: 's', effect: { annotations: { 'team/long': text } } }]));
    const once = mutate(podObject(), withProfile('ä'.repeat(5000)), {});
    const { annotations: written } = once['metadata'] as { annotations: Record<string, string> };
    expect(written[DECISION]!.length).toBeLessThan(1000);
    expect(written['team/long']).toBe('ä'.repeat(5000));
    const again = mutate(once, withProfile('new'), {});
    expect((again['metadata'] as Json)['annotations']).toEqual(written);
  });

  it.each(['x'.repeat(300), '\u0001'.repeat(253), 'ä'])(
    'a request that cannot be valid stays one when the pod is seen again: %j',
    (text) => {
      const pinning = eciProfileObject([
        { name: 's', effect: { annotations: { [`${P}eci-imc-id`]: 'imc-x' } } },
      ]);
      const view = indexOf(cacheObject({ name: 'x' }), pinning);
      for (const asked of [
        { [`${P}eci-auto-imc`]: text, [`${P}eci-ephemeral-storage-options`]: '{"encrypted":"true"}' },
        { [`${P}eci-image-snapshot-id`]: text, [`${P}eci-auto-imc`]: text },
      ]) {
        const once = mutate(podObject({ annotations: asked }), view, { dialect: 'both' });
        expect(decideFor(once, view, { dialect: 'both' }).explanation.patch).toEqual([]);
      }
    },
  );

  it('a profile of forty annotations is recorded by short digests, and applied', () => {
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`team.example.com/key-${i}`, `${i} `.padEnd(80, 'x')]),
    );
    const view = indexOf(
      cacheObject({ name: 'x' }),
      eciProfileObject([{ name: 's', effect: { annotations: many } }]),
    );
    const decided = decideFor(podObject(), view);
    expect(decided.annotations).toMatchObject({ ...many, [`${P}eci-imc-id`]: 'imc-x' });
    expect(record(decided).length).toBeLessThanOrEqual(4096);
    expect(JSON.parse(record(decided))).toMatchObject({
      wrote: { annotations: { [`${P}eci-imc-id`]: 'imc-x' } },
    });
    const once = mutate(podObject(), view, {});
    expect(decideFor(once, view).explanation.patch).toEqual([]);
    const changed = Object.fromEntries(Object.keys(many).map((key) => [key, 'new']));
    const after = indexOf(eciProfileObject([{ name: 's', effect: { annotations: changed } }]));
    expect((mutate(once, after, {})['metadata'] as Json)['annotations']).toMatchObject(many);
  });

  it('a profile that adds more than the record can hold writes nothing, and says so', () => {
    const many = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`team/key-${i}`, `value ${i}`]));
    const view = indexOf(
      cacheObject({ name: 'x' }),
      eciProfileObject([{ name: 's', effect: { annotations: many } }]),
    );
    const { decision, explanation } = decideFor(podObject(), view);
    expect(decision).toMatchObject({ outcome: 'skipped', reason: 'AnnotationsTooLarge' });
    expect(explanation.patch).toEqual([]);
  });
});
