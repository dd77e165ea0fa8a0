/** How all pods are let go before a release is removed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { liftAll } from '../../../src/sources/kubernetes/lift-all.ts';
import { podObject, type Json } from '../../support/objects.ts';
import { listOf, ScriptedApi } from '../../support/scripted-api.ts';

const WAIT = 'imagecache-webhook.io/wait-for-cache';

let api: ScriptedApi;
let pods: Map<string, Json>;
let refused: Set<string>;
let lifted: string[];
beforeEach(async () => {
  [pods, refused, lifted] = [new Map(), new Set(), []];
  api = await ScriptedApi.start(({ method, path }) => {
    if (path === '/api/v1/pods') return listOf('1', [...pods.values()]);
    if (method === 'DELETE') return { status: 404, body: {} };
    const name = path.split('/').at(-1)!;
    if (method === 'PATCH' && refused.has(name))
      return { status: 403, body: { message: 'a policy says no' } };
    const pod = pods.get(name);
    if (method === 'PATCH') pods.delete(name);
    return { status: pod ? 200 : 404, body: pod ?? {} };
  });
});
afterEach(() => api[Symbol.asyncDispose]());

function put(name: string, gates: readonly string[]): void {
  const object = podObject();
  pods.set(name, {
    ...object,
    metadata: { ...(object['metadata'] as Json), name, namespace: 'team' },
    spec: { ...(object['spec'] as Json), schedulingGates: gates.map((gate) => ({ name: gate })) },
  });
}
const lift = (looks: { most: number; every: number } = { most: 20, every: 1 }): Promise<void> =>
  liftAll(
    api.client(),
    {
      webhookConfiguration: 'ours',
      patchOf: () => ({ spec: { schedulingGates: [] } }),
      onLifted: (key) => lifted.push(key),
      looks,
    },
    new AbortController().signal,
  );

describe('letting all pods go', () => {
  it('deletes the webhook first, and ends once no pod has waited for some looks', async () => {
    put('a', [WAIT]);
    put('b', ['example.com/x', WAIT]);
    await lift();
    expect(lifted).toEqual(['team/a', 'team/b']);
    expect(api.calls[0]).toMatchObject({
      method: 'DELETE',
      path: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ours',
    });
    expect(api.calls.filter(({ path }) => path === '/api/v1/pods')).toHaveLength(4);
  });

  it('leaves pods alone that have the label without the gate', async () => {
    put('labelled', ['example.com/x']);
    await lift();
    expect([lifted, api.calls.filter(({ path }) => path.endsWith('/labelled'))]).toEqual([[], []]);
  });

  it('goes on with the others if one is refused, and fails in the end with its name', async () => {
    for (const name of ['a', 'bad', 'c']) put(name, [WAIT]);
    refused.add('bad');
    await expect(lift({ most: 5, every: 1 })).rejects.toThrow(
      /^Pod team\/bad waits still: HTTP 403.*a policy says no/,
    );
    expect(lifted).toEqual(['team/a', 'team/c']);
  });
});
