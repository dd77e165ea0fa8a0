/** What injectors add to pods is learned from pods, and put into the pods of templates. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Injected } from '../../../src/core/controller/injected.ts';
import { readWatchedPod, type WatchedPod } from '../../../src/core/controller/watched-pod.ts';
import { readWatchedWorkload, type WatchedWorkload } from '../../../src/core/controller/watched-workload.ts';
import type { Json } from '../../support/objects.ts';

const PROXY = { name: 'istio-proxy', image: 'istio/proxyv2:1.24' };
const app = (version: number): Json => ({ name: 'app', image: `app:${version}` });

interface Given {
  readonly containers: readonly Json[];
  readonly namespace?: string;
  readonly labels?: Json;
  readonly created?: string;
}

function pod({
  containers,
  namespace = 'team',
  labels = { app: 'web' },
  created = '12:00',
}: Given): WatchedPod {
  const creationTimestamp = `2026-11-30T${created}:00Z`;
  return readWatchedPod({
    metadata: { namespace, name: 'p', labels, creationTimestamp },
    spec: { containers },
  });
}

function workload({ containers, namespace = 'team', labels = { app: 'web' } }: Given): WatchedWorkload {
  return readWatchedWorkload({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace, name: 'web', creationTimestamp: '2026-11-30T12:00:00Z' },
    spec: { template: { metadata: { labels }, spec: { containers } } },
  });
}

let injected: Injected;
beforeEach(() => {
  injected = new Injected();
});
const learn = (pods: readonly WatchedPod[], ...workloads: readonly WatchedWorkload[]): void =>
  injected.learn(pods, () => workloads);
const imagesFor = (given: Given): string[] =>
  injected.withInjected(workload(given).pods[0]!.watched).content!.pod.containers.map(({ image }) => image);

describe('a container that a pod has and its template lacks', () => {
  it('is put into the pods of all templates of the namespace, of whatever version', () => {
    learn([pod({ containers: [app(1), PROXY] })], workload({ containers: [app(2)] }));
    expect(imagesFor({ containers: [app(2)] })).toEqual(['app:2', PROXY.image]);
    const other = { name: 'other', image: 'other:1' };
    expect(imagesFor({ containers: [other], labels: { app: 'other' } })).toEqual(['other:1', PROXY.image]);
  });

  it('is put into no pod of another namespace, and of other injection labels', () => {
    learn([pod({ containers: [app(1), PROXY] })], workload({ containers: [app(1)] }));
    expect(imagesFor({ containers: [app(2)], namespace: 'else' })).toEqual(['app:2']);
    const off = { app: 'web', 'sidecar.istio.io/inject': 'false' };
    expect(imagesFor({ containers: [app(2)], labels: off })).toEqual(['app:2']);
  });

  it('is that of the newest pod, and none if that has none', () => {
    const newer = { ...PROXY, image: 'istio/proxyv2:1.25' };
    const template = workload({ containers: [app(1)] });
    learn(
      [pod({ containers: [app(1), newer], created: '13:00' }), pod({ containers: [app(1), PROXY] })],
      template,
    );
    expect(imagesFor({ containers: [app(2)] })).toEqual(['app:2', newer.image]);
    learn([pod({ containers: [app(1)], created: '14:00' })], template);
    expect(imagesFor({ containers: [app(2)] })).toEqual(['app:2']);
  });

  it('is not added twice to a template that has it, nor if there would be more than twenty images', () => {
    learn([pod({ containers: [app(1), PROXY] })], workload({ containers: [app(1)] }));
    const own = { ...PROXY, image: 'mine:1' };
    expect(imagesFor({ containers: [app(2), own] })).toEqual(['app:2', 'mine:1']);
    const many = Array.from({ length: 20 }, (_, i) => ({ name: `c${i}`, image: `i:${i}` }));
    expect(imagesFor({ containers: many })).toHaveLength(20);
  });
});

it('nothing is learned from a pod that no template can have made', () => {
  learn([pod({ containers: [app(1), PROXY], labels: { app: 'else' } })], workload({ containers: [app(1)] }));
  learn([pod({ containers: [{ ...app(1), name: 'x' }, PROXY] })], workload({ containers: [app(1)] }));
  learn([pod({ containers: [app(1), PROXY], labels: {} })], workload({ containers: [app(1)], labels: {} }));
  expect(imagesFor({ containers: [app(2)] })).toEqual(['app:2']);
});

it('the pod of a template is the same object each time, until something else is learned', () => {
  const template = workload({ containers: [app(1)] });
  learn([pod({ containers: [app(1), PROXY] })], template);
  const { watched } = template.pods[0]!;
  const first = injected.withInjected(watched).content;
  learn([pod({ containers: [app(1), PROXY], created: '13:00' })], template);
  expect(injected.withInjected(watched).content).toBe(first);
});
