/** What the webhook writes, under which names, and what it leaves unchanged. */
import { describe, expect, it } from 'vitest';
import { limitWarnings } from '../../../src/core/decision/warnings.ts';
import { readEntry } from '../../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../../src/sources/kinds/manifest.ts';
import {
  cacheObject,
  decideFor,
  eciProfileObject,
  indexOf,
  podObject,
  type ConfigChange,
  type Json,
} from '../../support/objects.ts';
import { applied } from '../../support/patch.ts';

const P = 'k8s.aliyun.com/';
const OWN = 'imagecache-webhook.io/';
const [PIN, OLD_PIN, AUTO, OLD_AUTO] = [
  'eci-imc-id',
  'eci-image-snapshot-id',
  'eci-auto-imc',
  'eci-image-cache',
].map((key) => P + key) as [string, string, string, string];
const HIT = indexOf(cacheObject({ name: 'x' }));
const MISS = indexOf();

/** The pod's `k8s.aliyun.com/` annotations after the decision. */
function annotationsAfter(
  annotations: Record<string, string>,
  index = HIT,
  change: ConfigChange = {},
): Record<string, string> {
  const after = decideFor(podObject({ annotations }), index, change).annotations;
  return Object.fromEntries(Object.entries(after).filter(([key]) => key.startsWith(P)));
}

describe("a hit writes the ID under the dialect's pin annotation, and the request stays", () => {
  it.each<[ConfigChange['dialect'] & string, Record<string, string>, Record<string, string>]>([
    ['modern', {}, { [PIN]: 'imc-x' }],
    ['modern', { [AUTO]: 'true' }, { [AUTO]: 'true', [PIN]: 'imc-x' }],
    ['modern', { [AUTO]: '1' }, { [AUTO]: '1', [PIN]: 'imc-x' }],
    ['modern', { [OLD_AUTO]: 'true' }, { [OLD_AUTO]: 'true', [AUTO]: 'true', [PIN]: 'imc-x' }],
    [
      'modern',
      { [AUTO]: 'true', [OLD_AUTO]: 'false' },
      { [AUTO]: 'true', [OLD_AUTO]: 'false', [PIN]: 'imc-x' },
    ],
    // The legacy name is off by default, so that a request by default has to be written.
    ['legacy', {}, { [OLD_AUTO]: 'true', [OLD_PIN]: 'imc-x' }],
    ['legacy', { [AUTO]: 'true' }, { [AUTO]: 'true', [OLD_AUTO]: 'true', [OLD_PIN]: 'imc-x' }],
    ['legacy', { [OLD_AUTO]: 't' }, { [OLD_AUTO]: 't', [OLD_PIN]: 'imc-x' }],
    ['both', { [AUTO]: 'true' }, { [AUTO]: 'true', [OLD_AUTO]: 'true', [PIN]: 'imc-x', [OLD_PIN]: 'imc-x' }],
    [
      'both',
      { [AUTO]: 'true', [OLD_AUTO]: 'false' },
      { [AUTO]: 'true', [OLD_AUTO]: 'true', [PIN]: 'imc-x', [OLD_PIN]: 'imc-x' },
    ],
  ])('%s: %j', (dialect, before, after) => {
    expect(annotationsAfter(before, HIT, { dialect })).toEqual(after);
  });
});

describe("a pin is kept under the dialect's names", () => {
  it.each<[ConfigChange['dialect'] & string, Record<string, string>, Record<string, string>]>([
    ['modern', { [PIN]: 'imc-x' }, { [PIN]: 'imc-x' }],
    ['modern', { [OLD_PIN]: 'imc-x' }, { [OLD_PIN]: 'imc-x', [PIN]: 'imc-x' }],
    ['legacy', { [PIN]: 'imc-x' }, { [PIN]: 'imc-x', [OLD_PIN]: 'imc-x' }],
    ['both', { [PIN]: 'imc-x', [OLD_PIN]: 'imc-y' }, { [PIN]: 'imc-x', [OLD_PIN]: 'imc-x' }],
    ['modern', { [PIN]: 'imc-x', [AUTO]: 'false' }, { [PIN]: 'imc-x', [AUTO]: 'false' }],
  ])('%s: %j', (dialect, before, after) => {
    expect(annotationsAfter(before, HIT, { dialect })).toEqual(after);
  });

  it('that is replaced is overwritten under every name that the user wrote', () => {
    const index = indexOf(cacheObject({ name: 'x' }), cacheObject({ name: 'bad', phase: 'Failed' }));
    const change = { dialect: 'legacy', pin: { notReady: 'auto' } } as const;
    expect(annotationsAfter({ [PIN]: 'imc-bad' }, index, change)).toMatchObject({
      [PIN]: 'imc-x',
      [OLD_PIN]: 'imc-x',
    });
  });

  it.each([HIT, MISS])('that is replaced leaves a switched-off automatic matching switched off', (index) => {
    const pod = { [PIN]: 'imc-bad', [AUTO]: 'false' };
    readEntry(readManifest(cacheObject({ name: 'bad', phase: 'Failed' }))).apply(index);
    expect(annotationsAfter(pod, index, { pin: { notReady: 'auto' } })).toHaveProperty([AUTO], 'false');
    index.imageCaches.delete('bad');
  });

  it('with another value under the older name gets a warning', () => {
    const { decision } = decideFor(podObject({ annotations: { [PIN]: 'imc-x', [OLD_PIN]: 'imc-y' } }), HIT);
    expect(decision.warnings).toEqual([expect.stringContaining('disagree; the first one wins')]);
  });
});

describe('a miss is marked', () => {
  it('as annotation and as label, with the hash of the image set', () => {
    const { annotations, labels } = decideFor(podObject({ images: ['b:1', 'a:1'] }), MISS);
    expect(annotations[`${OWN}create-on-miss`]).toMatch(/^[0-9a-f]{32}$/);
    expect(labels[`${OWN}create-on-miss`]).toBe(annotations[`${OWN}create-on-miss`]);
    const other = decideFor(podObject({ images: ['docker.io/library/a:1', 'b:1', 'b:1'] }), MISS);
    expect(other.labels[`${OWN}create-on-miss`]).toBe(labels[`${OWN}create-on-miss`]);
  });

  it.each<[string, ConfigChange, Record<string, string>, Record<string, string>]>([
    [
      'by ECI: its automatic matching stays on',
      { createOnMiss: { by: 'eci' } },
      { [AUTO]: 'true' },
      { [AUTO]: 'true' },
    ],
    ['by ECI, by default: nothing needs to be written', { createOnMiss: { by: 'eci' } }, {}, {}],
    [
      'by ECI, legacy: the default has to be written',
      { dialect: 'legacy', createOnMiss: { by: 'eci' } },
      {},
      { [OLD_AUTO]: 'true' },
    ],
    [
      "by the controller: ECI's own creation is switched off",
      { createOnMiss: { by: 'controller' } },
      {},
      { [AUTO]: 'false' },
    ],
    [
      "by the controller, over the user's wish",
      { createOnMiss: { by: 'controller' } },
      { [AUTO]: 'true' },
      { [AUTO]: 'false' },
    ],
    [
      'by the controller, legacy: the newer name would win',
      { dialect: 'legacy', createOnMiss: { by: 'controller' } },
      { [AUTO]: 'true' },
      { [AUTO]: 'false', [OLD_AUTO]: 'false' },
    ],
  ])('%s', (_title, change, before, after) => {
    expect(annotationsAfter(before, MISS, change)).toEqual(after);
  });

  it('and so is a partial match, unless createOnMiss.when is no-match, but never a complete match', () => {
    const pod = podObject({ images: ['app:1', 'other:1'] });
    const marker = `${OWN}create-on-miss`;
    expect(decideFor(pod, HIT).labels).toHaveProperty([marker]);
    expect(decideFor(pod, HIT, { createOnMiss: { when: 'no-match' } }).labels).not.toHaveProperty([marker]);
    expect(decideFor(podObject(), HIT).labels).not.toHaveProperty([marker]);
  });
});

describe('the decision annotation', () => {
  it('holds outcome, request and what was written, as JSON', () => {
    const { annotations } = decideFor(podObject({ annotations: { [OLD_AUTO]: 'true', mine: 'x' } }), HIT);
    expect(JSON.parse(annotations[`${OWN}decision`]!)).toEqual({
      outcome: 'hit',
      why: 'ImageCache x (imc-x) holds 1 of 1 images',
      request: { [OLD_AUTO]: 'true' },
      wrote: { annotations: { [PIN]: 'imc-x', [AUTO]: 'true' }, labels: {} },
    });
  });

  it('is absent if nothing was decided', () => {
    expect(decideFor(podObject({ labels: {} }), HIT).annotations).not.toHaveProperty([`${OWN}decision`]);
    expect(decideFor(podObject({ annotations: { [AUTO]: 'false' } }), HIT).annotations).not.toHaveProperty([
      `${OWN}decision`,
    ]);
  });
});

describe('pullPolicy', () => {
  const always = podObject({ images: ['app:1', 'other:1'], pullPolicy: 'Always' });
  const use = { partialHits: 'use' } as const;

  it('warn: says which containers pull although the cache holds their image', () => {
    const { decision, explanation } = decideFor(always, HIT, use);
    expect(decision.warnings).toEqual([expect.stringContaining('container c0 has imagePullPolicy Always')]);
    expect(JSON.stringify(explanation.patch)).not.toContain('imagePullPolicy":"IfNotPresent');
  });

  it('keep: gives no warning', () => {
    expect(decideFor(always, HIT, { ...use, pullPolicy: 'keep' }).decision.warnings).toEqual([]);
  });

  it('enforce: writes IfNotPresent for those containers, and only those', () => {
    const { decision, explanation } = decideFor(always, HIT, { ...use, pullPolicy: 'enforce' });
    expect(decision.warnings).toEqual([]);
    expect(explanation.patch).toContainEqual({
      op: 'replace',
      path: '/spec/containers/0/imagePullPolicy',
      value: 'IfNotPresent',
    });
    expect(explanation.patch.filter(({ path }) => path.startsWith('/spec'))).toHaveLength(1);
  });

  it.each([
    [20, 20, 0],
    [21, 0, 1],
  ])(
    'enforce: of a pod with %i such containers, writes it for %i and gives %i warnings',
    (count, written, warnings) => {
      const many = podObject({ images: Array<string>(count).fill('app:1'), pullPolicy: 'Always' });
      const { decision, explanation } = decideFor(many, HIT, { pullPolicy: 'enforce' });
      expect(explanation.patch.filter(({ path }) => path.startsWith('/spec'))).toHaveLength(written);
      expect(decision.warnings).toHaveLength(warnings);
    },
  );

  it.each([
    ['app', undefined, true],
    ['app:latest', undefined, true],
    ['app:1', undefined, false],
    ['app:latest', 'IfNotPresent', false],
    ['app:1', 'Always', true],
    [`app@sha256:${'0a'.repeat(32)}`, undefined, false],
    ['app:1', 'Never', false],
  ])('takes %s with policy %s for Always: %s', (image, pullPolicy, expected) => {
    const index = indexOf(cacheObject({ name: 'x', images: [image] }));
    const pod = podObject({ images: [image], ...(pullPolicy !== undefined && { pullPolicy }) });
    expect(decideFor(pod, index).decision.warnings).toHaveLength(expected ? 1 : 0);
  });

  it('gives a warning for pinned caches too, and none for a miss', () => {
    expect(
      decideFor(podObject({ pullPolicy: 'Always', annotations: { [PIN]: 'imc-x' } }), HIT).decision.warnings,
    ).toHaveLength(1);
    expect(decideFor(podObject({ pullPolicy: 'Always' }), MISS).decision.warnings).toEqual([]);
  });
});

describe('the patch', () => {
  it.each<[string, (pod: Json) => void]>([
    ['metadata with annotations and labels', () => undefined],
    ['no annotations', ({ metadata }) => delete (metadata as Json)['annotations']],
    ['annotations null', ({ metadata }) => ((metadata as Json)['annotations'] = null)],
    [
      'no labels',
      ({ metadata, spec }) => {
        delete (metadata as Json)['labels'];
        (spec as Json)['nodeName'] = 'virtual-kubelet';
      },
    ],
    [
      'no metadata',
      (pod) => {
        delete pod['metadata'];
        (pod['spec'] as Json)['nodeName'] = 'virtual-kubelet';
      },
    ],
    [
      'keys that need escaping',
      ({ metadata }) => ((metadata as Json)['annotations'] = { 'a~b/c~1d': 'x', '~': 'y', '/': 'z' }),
    ],
    [
      'keys that have a meaning in JavaScript',
      ({ metadata }) =>
        ((metadata as Json)['annotations'] = JSON.parse('{"__proto__":"a","constructor":"b"}')),
    ],
  ])('applies to a pod with %s, and gives exactly the pod that was decided', (_title, change) => {
    const profile = eciProfileObject([
      { name: 's', effect: { annotations: { 'x.y/z': '1' }, labels: { 'l.m/n': '2' } } },
    ]);
    for (const index of [indexOf(profile), indexOf(profile, cacheObject({ name: 'x' }))]) {
      const pod = podObject();
      change(pod);
      const { explanation, annotations, labels } = decideFor(pod, index);
      const patched = applied(pod, explanation.patch, false);
      expect(patched).toEqual({ ...pod, metadata: { ...(pod['metadata'] as Json), annotations, labels } });
    }
  });

  it('is minimal: it has no operation for a value that stays the same', () => {
    const { explanation } = decideFor(podObject({ annotations: { keep: 'me', [AUTO]: 'true' } }), HIT);
    expect(explanation.patch.map(({ op, path }) => `${op} ${path}`)).toEqual([
      'add /metadata/labels/imagecache-webhook.io~1outcome',
      'add /metadata/annotations/k8s.aliyun.com~1eci-imc-id',
      'add /metadata/annotations/imagecache-webhook.io~1decision',
    ]);
  });
});

describe('warnings', () => {
  it('are at most 256 characters each, printable, distinct and few', () => {
    const limited = limitWarnings([
      'a\r\nb\u0000c',
      'x'.repeat(300),
      'a\r\nb\u0000c',
      `${'y'.repeat(254)}😀😀`,
      ...Array.from({ length: 9 }, (_, i) => `w${i}`),
    ]);
    expect(limited).toHaveLength(6);
    expect(limited[0]).toBe('a b c');
    expect(limited[1]).toBe(`${'x'.repeat(253)}...`);
    expect(limited.every((warning) => warning.length <= 256 && warning.isWellFormed())).toBe(true);
    expect(limited[5]).toBe('and 7 more warnings of imagecache-webhook');
  });
});
