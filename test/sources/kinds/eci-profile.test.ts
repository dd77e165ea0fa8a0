import { describe, expect, it } from 'vitest';
import { readEciProfile } from '../../../src/sources/kinds/eci-profile.ts';
import { readManifest } from '../../../src/sources/kinds/manifest.ts';
import { readSelector } from '../../../src/sources/kinds/selector.ts';
import { eciProfileObject, selectorObject, type Json } from '../../support/objects.ts';

const names = (selectors: string): string[] =>
  readEciProfile(readManifest(eciProfileObject(selectors))).selectors.map(({ name }) => name);

const problems = (selectors: string): string[] =>
  readEciProfile(readManifest(eciProfileObject(selectors))).problems.map(({ message }) => message);

describe('the eci-profile ConfigMap', () => {
  it.each([
    ['an empty string has no selectors', '', []],
    ['white space has no selectors', ' \n', []],
    ['a text of comments has no selectors', '# nothing yet\n', []],
    ['an empty array has no selectors', '[]', []],
    ['the order is kept', '[{"name":"b"},{"name":"a"}]', ['b', 'a']],
    ['# comments are skipped', '[\n  # the first\n  {"name": "a"} # behind it\n]', ['a']],
    ['a # in a string is no comment', '[{"name":"a # b"}, {"name":"\\"#"}]', ['a # b', '"#']],
    ['a selector without a name is named by its index', '[{}]', ['0']],
  ])('%s', (_title, selectors, expected) => {
    expect(names(selectors)).toEqual(expected);
  });

  it.each([
    ['{}', 'data.selectors is an object; it must be a JSON array'],
    ['[{"name":"a",}]', 'data.selectors is not JSON'],
  ])('with the selectors %s is refused, and the message has the path', (selectors, message) => {
    expect(() => names(selectors)).toThrow(message);
  });

  it.each([
    ['1', '[0] is a number; it must be an object: it matches nothing'],
    [
      '{"namespaceSelector":{"matchLabels":{"a":1}}}',
      '[0].namespaceSelector.matchLabels["a"] is a number; it must be a string: quote it; the selector matches nothing',
    ],
    [
      '{"objectSelector":[]}',
      '[0].objectSelector is an array; it must be an object; the selector matches nothing',
    ],
    [
      '{"objectSelector":{"matchLabels":{"a b":"c"}}}',
      '[0].objectSelector.matchLabels names the label key "a b", which has a name',
    ],
    [
      '{"objectSelector":{"matchExpressions":[{"key":"a","operator":"In","values":["b c"]}]}}',
      '[0].objectSelector.matchExpressions[0] names the label value "b c", which is not at most 63',
    ],
    ['{"effect":1}', '[0].effect is a number; it must be an object; the selector matches nothing'],
  ])('leaves out %s, says where it is wrong, and keeps the other selectors', (selector, message) => {
    const both = `[${selector},{"name":"good"}]`;
    expect(names(both)).toEqual(['good']);
    expect(problems(both)).toEqual([expect.stringContaining(`data.selectors${message}`)]);
  });

  it.each([
    ['{"labels":{"a":true}}', 'labels sets "a", which has a value that is a boolean'],
    ['{"labels":{"a":"b c"}}', 'labels sets "a", which has the value "b c", which is not at most 63'],
    [`{"labels":{"a":"${'x'.repeat(64)}"}}`, 'labels sets "a", which has the value "xxx'],
    ['{"labels":{"a/b/c":"d"}}', 'labels sets "a/b/c", which has a name'],
    ['{"annotations":{"A.b/":"d"}}', 'annotations sets "A.b/", which has a name'],
    ['{"annotations":{"a_b/c":"d"}}', 'annotations sets "a_b/c", which has a prefix'],
    [`{"annotations":{"a":"${'x'.repeat(262_145)}"}}`, 'annotations sets "a", which has the value "xxx'],
    [
      '{"annotations":{"imagecache-webhook.io/decision":"{}"}}',
      'annotations sets "imagecache-webhook.io/decision", which begins with imagecache-webhook.io/',
    ],
  ])('does not apply the part %s of an effect, and applies the other parts', (effect, message) => {
    const { labels, annotations } = JSON.parse(effect) as Record<string, object>;
    const selector = {
      name: 's',
      effect: {
        labels: { ...labels, good: 'yes' },
        annotations: { ...annotations, 'Example.COM/good': 'any text: "yes"' },
      },
    };
    const reading = readEciProfile(readManifest(eciProfileObject([selector])));
    expect(reading.selectors).toMatchObject([
      { labels: new Map([['good', 'yes']]), annotations: new Map([['Example.COM/good', 'any text: "yes"']]) },
    ]);
    expect(reading.problems.map((problem) => problem.message)).toEqual([
      expect.stringContaining(`data.selectors[0].effect.${message}`),
    ]);
  });

  it('names a selector by its index if its name is not a text', () => {
    expect(names('[{"name":1}]')).toEqual(['0']);
    expect(problems('[{"name":1}]')).toEqual(['data.selectors[0].name is a number; it must be a string']);
  });

  it('whose selectors are not a text is refused', () => {
    const object = { ...eciProfileObject(''), data: { selectors: [] } };
    expect(() => readEciProfile(readManifest(object))).toThrow(
      'data.selectors is an array; it must be a JSON text',
    );
  });
});

describe('a Selector', () => {
  const read = (spec: Json): ReturnType<typeof readSelector> =>
    readSelector(readManifest(selectorObject('s', spec)));

  it.each([
    [{}, 'eci'],
    [{ policy: {} }, 'eci'],
    [{ policy: { fair: {} } }, 'eci-or-normal-nodes'],
    [{ policy: { virtualNodeOnly: {} } }, 'eci'],
    [{ policy: { normalNodePrefer: { cpuRatio: 80 } } }, 'eci-or-normal-nodes'],
    [{ policy: { normalNodeOnly: {} } }, 'normal-nodes'],
    [{ policy: { newerThanUs: {} } }, 'eci'],
  ])('%j sends its pods to: %s', (spec, expected) => {
    expect(read(spec).selector?.destination).toBe(expected);
  });

  it('without effect, priority and selectors has priority 0, matches every pod and adds nothing', () => {
    expect(read({}).selector).toMatchObject({
      priority: 0,
      namespaceSelector: [],
      objectSelector: [],
      annotations: new Map(),
      labels: new Map(),
    });
  });
});
