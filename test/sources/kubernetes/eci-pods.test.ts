/** Which pods the controller follows, and how it counts their use of caches. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EciPods } from '../../../src/sources/kubernetes/eci-pods.ts';
import type { Resource, Store } from '../../../src/sources/kubernetes/list-all.ts';
import type { ReflectedKind } from '../../../src/sources/kubernetes/reflectors.ts';
import { FakeClock } from '../../support/clock.ts';
import { podObject, type Json } from '../../support/objects.ts';

let clock: FakeClock;
let pods: EciPods;
/** The stores, by the field selector of their watch. */
let stores: Map<string, Store>;
let stopped: string[];
let failures: string[];
beforeEach(() => {
  clock = new FakeClock();
  [stores, stopped, failures] = [new Map<string, Store>(), [], []];
  const selectorOf = (kind: ReflectedKind): string =>
    [...stores].find(([, store]) => store === kind.store)?.[0] ?? '';
  pods = new EciPods(
    (resource: Resource, store: Store) => {
      stores.set(resource.fieldSelector ?? '', store);
      return { reflector: { resource } as unknown as ReflectedKind['reflector'], store };
    },
    (kind, until) => until?.addEventListener('abort', () => stopped.push(selectorOf(kind))),
    { onChange: () => undefined, onFailure: (message) => failures.push(message), onPlaced: () => undefined },
    clock,
  );
});

const UNBOUND = 'spec.nodeName=';
const NODE = 'spec.nodeName=virtual-kubelet-a';

function given(name: string, id = 'imc-a', change: Json = {}): Json {
  const object = podObject({ annotations: { 'k8s.aliyun.com/eci-imc-id': id } });
  const creationTimestamp = new Date(clock.now()).toISOString();
  return {
    ...object,
    metadata: { ...(object['metadata'] as Json), name, uid: name, creationTimestamp },
    ...change,
  };
}
const onNode = (name: string, id?: string): Json =>
  given(name, id, { spec: { containers: [{ name: 'c', image: 'a:1' }], nodeName: 'virtual-kubelet-a' } });
const put = (selector: string, object: Json): void =>
  stores.get(selector)!.apply((object['metadata'] as { name: string }).name, object);
const names = (): string[] => Array.from(pods.pods(), ({ subject }) => subject.name).toSorted();

describe('the watches', () => {
  it('are one for pods without a node, and one for each virtual node', () => {
    expect([...stores.keys()]).toEqual([UNBOUND]);
    pods.followNodes(new Set(['virtual-kubelet-a', 'virtual-kubelet-b']));
    pods.followNodes(new Set(['virtual-kubelet-a', 'virtual-kubelet-b']));
    expect([...stores.keys()]).toEqual([UNBOUND, NODE, 'spec.nodeName=virtual-kubelet-b']);
    expect(pods.kinds()).toHaveLength(3);
  });

  it('of a node that is gone ends, and its pods are forgotten', () => {
    pods.followNodes(new Set(['virtual-kubelet-a']));
    put(NODE, onNode('p'));
    pods.followNodes(new Set());
    expect([stopped, names(), pods.kinds().length]).toEqual([[NODE], [], 1]);
  });

  it('are at most five hundred: with more nodes it is not known which caches are needed, and that is reported once', () => {
    const many = new Set(Array.from({ length: 501 }, (_, i) => `virtual-kubelet-${i}`));
    pods.followNodes(many);
    pods.followNodes(many);
    expect(pods.kinds()).toHaveLength(501);
    expect(pods.isComplete).toBe(false);
    expect(failures).toEqual([
      'the cluster has 501 virtual nodes, more than 500: the controller does nothing',
    ]);
    pods.followNodes(new Set(['virtual-kubelet-1']));
    expect(pods.isComplete).toBe(true);
  });
});

describe('the use of a cache', () => {
  beforeEach(() => pods.followNodes(new Set(['virtual-kubelet-a'])));

  it('is counted when a pod appears on a node, once for each pod', () => {
    put(UNBOUND, given('p'));
    expect(pods.takeUses()).toEqual(new Map());
    put(NODE, onNode('p'));
    put(NODE, onNode('p'));
    put(NODE, onNode('q'));
    expect(pods.takeUses()).toMatchObject(new Map([['imc-a', { pods: 2, lastAtMs: clock.now() }]]));
    expect(pods.takeUses()).toEqual(new Map());
  });

  it('is remembered for a limited number of IDs until it is taken', () => {
    for (let i = 0; i < 10_100; i++) put(NODE, onNode(`p${i}`, `imc-${i}`));
    expect(pods.takeUses().size).toBe(10_000);
  });
});

describe('the life of pods', () => {
  beforeEach(() => pods.followNodes(new Set(['virtual-kubelet-a'])));
  const running = (name: string): Json => ({ ...onNode(name), status: { phase: 'Running' } });

  it('is learned from those on virtual nodes, and a binding is no end', async () => {
    put(UNBOUND, given('p'));
    stores.get(UNBOUND)!.delete('p');
    put(NODE, running('p'));
    expect(pods.lives(clock.now(), new Map()).size).toBe(0);
    await clock.advance(60_000);
    stores.get(NODE)!.delete('p');
    expect([...pods.lives(clock.now(), new Map()).values()]).toMatchObject([{ seconds: 60, ended: 1 }]);
  });
});

describe('a pod that gets its node', () => {
  beforeEach(() => pods.followNodes(new Set(['virtual-kubelet-a'])));

  it('counts all the time, also while neither watch has it', async () => {
    put(UNBOUND, given('p'));
    stores.get(UNBOUND)!.delete('p');
    expect(names()).toEqual(['p']);
    put(NODE, onNode('p'));
    expect(names()).toEqual(['p']);
    stores.get(NODE)!.delete('p');
    expect(names()).toEqual([]);
  });

  it('counts as its node shows it, also if the watch of pods without a node loses it last', () => {
    put(UNBOUND, given('p'));
    put(NODE, onNode('p'));
    stores.get(UNBOUND)!.delete('p');
    expect(Array.from(pods.pods(), ({ nodeName }) => nodeName)).toEqual(['virtual-kubelet-a']);
    stores.get(NODE)!.delete('p');
    expect(names()).toEqual([]);
  });

  it('counts although the watch of its node has a former pod of this name', () => {
    put(NODE, onNode('p'));
    put(
      UNBOUND,
      given('p', 'imc-b', { metadata: { ...(given('p', 'imc-b')['metadata'] as Json), uid: 'new' } }),
    );
    stores.get(UNBOUND)!.delete('p');
    expect(Array.from(pods.pods(), ({ pointsTo }) => pointsTo)).toEqual([['imc-a'], ['imc-b']]);
  });

  it('on a normal node, or that was deleted, counts no longer than a minute and a half', async () => {
    put(UNBOUND, given('p'));
    stores.get(UNBOUND)!.delete('p');
    await clock.advance(90_000);
    expect(names()).toEqual([]);
  });
});
