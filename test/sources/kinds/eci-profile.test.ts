import { describe, expect, it } from 'vitest';
import { readEciProfile } from '../../../src/sources/kinds/eci-profile.ts';
import { readManifest } from '../../../src/sources/kinds/manifest.ts';
import { readSelector } from '../../../src/sources/kinds/selector.ts';
import { eciProfileObject, selectorObject, type Json } from '../../support/objects.ts';

const names = (selectors: string): string[] =>
  readEciProfile(readManifest(eciProfileObject(selectors))).map(({ name }) => name);

describe('the eci-profile ConfigMap', () => {
  it.each([
    ['an empty string is none', '', []],
    ['white space is none', ' \n', []],
    ['only comments are none', '# nothing yet\n', []],
    ['an empty array is none', '[]', []],
    ['the order is kept', '[{"name":"b"},{"name":"a"}]', ['b', 'a']],
    ['# comments are read over', '[\n  # the first\n  {"name": "a"} # behind it\n]', ['a']],
    ['a # in a string is no comment', '[{"name":"a # b"}, {"name":"\\"#"}]', ['a # b', '"#']],
    ['a selector without a name is called by its place', '[{}]', ['0']],
  ])('%s', (_title, selectors, expected) => {
    expect(names(selectors)).toEqual(expected);
  });

  it.each([
    ['{}', 'data.selectors is an object; it must be a JSON array'],
    ['[{"name":"a",}]', 'data.selectors is not JSON'],
    ['[1]', 'data.selectors[0] is a number'],
    ['[{"name":1}]', 'data.selectors[0].name must be a string'],
    [
      '[{},{"namespaceSelector":{"matchLabels":{"a":1}}}]',
      'data.selectors[1].namespaceSelector.matchLabels["a"]',
    ],
    ['[{"objectSelector":[]}]', 'data.selectors[0].objectSelector is an array'],
    ['[{"effect":{"labels":{"a":true}}}]', 'data.selectors[0].effect.labels["a"] is a boolean'],
  ])('%s is refused with its path', (selectors, message) => {
    expect(() => names(selectors)).toThrow(message);
  });

  it('that is not text is refused', () => {
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
    expect(read(spec).destination).toBe(expected);
  });

  it('without effect, priority and selectors is one that adds nothing, with priority 0, for every pod', () => {
    expect(read({})).toMatchObject({
      priority: 0,
      namespaceSelector: [],
      objectSelector: [],
      annotations: new Map(),
      labels: new Map(),
    });
  });
});
