/** The patch contains what the decision changes, and nothing else of the pod. */
import { describe, expect, it } from 'vitest';
import { readPod, type Pod } from '../../src/core/pod.ts';
import { patchFor, type Operation } from '../../src/webhook/json-patch.ts';
import { cacheObject, decideFor, indexOf, podObject, type Json } from '../support/objects.ts';
import { applied } from '../support/patch.ts';

const DECISION = 'imagecache-webhook.io/decision';

/** The patch from a pod to the same pod with other annotations. */
function patchTo(object: Json, annotations: ReadonlyMap<string, string>): readonly Operation[] {
  const seen = readPod(object, 'default');
  const { decision } = decideFor(object, indexOf());
  return patchFor(seen, { ...decision, outcome: 'hit', pod: { ...seen, annotations } });
}

describe('the patch', () => {
  it('creates the parents that are missing, and no others', () => {
    const spec = { containers: [{ name: 'c', image: 'a:1' }] };
    const wanted = new Map([['k', 'v']]);
    for (const metadata of [undefined, {}, { annotations: {} }, { annotations: null, labels: { a: 'b' } }]) {
      const object = { ...(metadata && { metadata }), spec };
      const patched = applied<Json>(object, patchTo(object, wanted));
      expect(patched).toEqual({ ...object, metadata: { ...metadata, annotations: { k: 'v' } } });
    }
  });

  it('escapes / and ~ in names, and keeps names that have a meaning in JavaScript', () => {
    const object = podObject({ annotations: { 'a/b~c': '1' } });
    const wanted = new Map([
      ['a/b~c', '2'],
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['toJSON', 't'],
    ]);
    const at = (name: string): string => `/metadata/annotations/${name}`;
    expect(patchTo(object, wanted).toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { op: 'add', path: at('__proto__'), value: 'p' },
      { op: 'replace', path: at('a~1b~0c'), value: '2' },
      { op: 'add', path: at('constructor'), value: 'c' },
      { op: 'add', path: at('toJSON'), value: 't' },
    ]);
  });

  it('of a denied pod is empty, also if the pod has a decision annotation', () => {
    const object = podObject({
      annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-x', [DECISION]: '{"wrote":{}}' },
    });
    const { decision, seen } = decideFor(object, indexOf(cacheObject({ name: 'x', phase: 'Creating' })));
    expect(decision.outcome).toBe('denied');
    expect(patchFor(seen, decision)).toEqual([]);
  });

  it('changes pull policies of containers and init containers, each at its place', () => {
    const object = podObject({
      images: ['a:1'],
      spec: { initContainers: [{ name: 'i', image: 'b:1' }] },
    });
    const seen = readPod(object, 'default');
    const containers = seen.containers.map((each) => ({ ...each, imagePullPolicy: 'IfNotPresent' }));
    const pod: Pod = { ...seen, containers };
    const { decision } = decideFor(object, indexOf());
    expect(patchFor(seen, { ...decision, outcome: 'hit', pod })).toEqual([
      { op: 'add', path: '/spec/containers/0/imagePullPolicy', value: 'IfNotPresent' },
      { op: 'add', path: '/spec/initContainers/0/imagePullPolicy', value: 'IfNotPresent' },
    ]);
  });
});
