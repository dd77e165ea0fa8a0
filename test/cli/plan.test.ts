import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { imcHere } from '../support/imc.ts';
import { podObject, type Json } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder.remove());

function deployment(name: string, images: readonly string[], replicas = 1): Json {
  const { metadata, spec } = podObject({ images });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    spec: { replicas, template: { metadata, spec } },
  };
}

const plan = (...args: readonly string[]): ReturnType<typeof imcHere> =>
  imcHere(['plan', '--source', `files:${folder.path}`, ...args]);

describe('imc plan', () => {
  it('shows the caches, what they buy and cost, and what is left out', async () => {
    folder.write('web.yaml', JSON.stringify(deployment('web', ['nginx:1', 'app:1'], 3)));
    folder.write(
      'pinned.yaml',
      JSON.stringify(podObject({ annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-1' } })),
    );
    // What a workload owns makes no pods of its own.
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', controller: true };
    const owned = podObject({ images: ['other:1'] });
    folder.write(
      'owned.yaml',
      JSON.stringify({ ...owned, metadata: { ...(owned['metadata'] as Json), ownerReferences: [owner] } }),
    );
    const { code, out, err } = await plan();
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      /^IMAGECACHE +IMAGES +SIZE .*\nplan-[0-9a-f]{32} +2 +30Gi +1 +3 +50 s .* everybody\n/,
    );
    expect(out).toContain('1 cache: 3 of 3 pods start fully warm.');
    expect(out).toContain('Left out:\n  Pod pod in default: it pins imc-1\n');
  });

  it('prints manifests whose names stay when they are applied and planned again', async () => {
    folder.write('web.yaml', JSON.stringify(deployment('web', ['nginx:1'])));
    const first = await plan('-o', 'yaml');
    const objects = parseAllDocuments(first.out).map((document) => document.toJS() as Json | null);
    expect(objects.filter((each) => each !== null)).toEqual([
      expect.objectContaining({
        kind: 'ImageCache',
        spec: { images: ['nginx:1'], imageCacheSize: 30 },
      }),
    ]);
    expect(first.out).toContain('# Deployment web in shop\n');
    folder.write('caches.yaml', first.out);
    expect((await plan('-o', 'yaml')).out).toBe(first.out);
  });

  it('takes workloads from files, and says what it cannot read', async () => {
    const input = `${JSON.stringify(deployment('web', ['nginx:1']))}\n---\n{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"bad"}}`;
    const { code, out, err } = await imcHere(
      ['plan', '-f', '-', '--source', `files:${folder.path}`, '-o', 'json'],
      input,
    );
    expect([code, err]).toEqual([1, 'imc plan: Deployment bad: spec is missing\n']);
    expect(JSON.parse(out)).toMatchObject({ pods: 1, warmPods: 1, caches: [{ images: ['nginx:1'] }] });
  });

  it('leaves out what has ended, counts the pods of a CronJob, and reads lists', async () => {
    const { metadata, spec } = podObject({ images: ['nginx:1'] });
    const template = { metadata, spec };
    const cron = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'nightly' },
      spec: { jobTemplate: { spec: { parallelism: 50, template } } },
    };
    const job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'done' },
      spec: { template },
      status: { conditions: [{ type: 'Complete', status: 'True' }] },
    };
    const pod = { ...podObject({ images: ['old:1'] }), status: { phase: 'Succeeded' } };
    folder.write('list.yaml', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [cron, job, pod] }));
    expect((await plan()).out).toContain('1 cache: 50 of 50 pods start fully warm.');
  });

  it('does not count on a cache of an earlier plan that has failed', async () => {
    folder.write('web.yaml', JSON.stringify(deployment('web', ['nginx:1'])));
    const { out: manifests } = await plan('-o', 'yaml');
    folder.write('cache.yaml', `${manifests}status: {phase: Failed}\n`);
    expect(await plan()).toMatchObject({
      code: 1,
      err: expect.stringMatching(/ImageCache plan-\w+ of an earlier plan is Failed: delete it/) as string,
    });
  });

  it('keeps within a number of caches', async () => {
    folder.write('web.yaml', JSON.stringify(deployment('web', ['nginx:1'])));
    expect((await plan('--max-caches', '0')).out).toContain('0 caches: 0 of 1 pods start fully warm.');
    expect(await plan('--max-caches', 'many')).toMatchObject({ code: 2 });
  });
});
