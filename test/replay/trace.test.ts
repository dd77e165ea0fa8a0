/** How traces are read: from CSV, and from what a cluster still knows. */
import { describe, expect, it } from 'vitest';
import { imagesOf } from '../../src/replay/images.ts';
import { traceOfHistory } from '../../src/replay/history.ts';
import { readTrace, TraceError } from '../../src/replay/trace.ts';
import type { Json } from '../support/objects.ts';

describe('a trace in CSV', () => {
  it('has a pod a line, sorted by time, and ends with its last event', () => {
    const { pods, end } = readTrace('t.csv', 'key,created,deleted\nb,20,\na,10,50\n');
    expect(pods).toEqual([
      { key: 'a', namespace: 'default', created: 10, deleted: 50, cpu: 2, memoryGib: 4, images: undefined },
      {
        key: 'b',
        namespace: 'default',
        created: 20,
        deleted: undefined,
        cpu: 2,
        memoryGib: 4,
        images: undefined,
      },
    ]);
    expect(end).toBe(50);
  });

  it('may say namespace, cpu, memory and images, in any order of the columns', () => {
    const text = 'images,key,namespace,created,deleted,memoryGib,cpu\r\na:1 b:2,k,team,1,2,8,0.5\r\n';
    expect(readTrace('t.csv', text).pods[0]).toEqual({
      key: 'k',
      namespace: 'team',
      created: 1,
      deleted: 2,
      cpu: 0.5,
      memoryGib: 8,
      images: ['a:1', 'b:2'],
    });
  });

  it.each([
    ['key,created\na,1\n', 't.csv:1: has no column deleted; it must have key,created,deleted'],
    ['key,created,deleted,age\na,1,2,3\n', 't.csv:1: has a column "age"'],
    ['key,created,deleted\na,1\n', 't.csv:2: has 2 values; the first line names 3'],
    ['key,created,deleted\na,1,2\na,x,2\n', 't.csv:3: created is "x"; it must be a number of 0 or more'],
    ['key,created,deleted\na,-1,2\n', 't.csv:2: created is "-1"; it must be a number of 0 or more'],
    ['key,created,deleted\n,1,2\n', 't.csv:2: key or created is empty; a pod needs both'],
    ['key,created,deleted\na,3,2\n', 't.csv:2: deleted is 2, before created, 3'],
    ['key,created,deleted\n', 't.csv: has no pods'],
  ])('%j is refused with where and what is wrong', (text, message) => {
    expect(() => readTrace('t.csv', text)).toThrow(TraceError);
    expect(() => readTrace('t.csv', text)).toThrow(message);
  });
});

describe('the images of a pod', () => {
  const pod = {
    key: 'Web / API',
    namespace: 'n',
    created: 0,
    deleted: 9,
    cpu: 1,
    memoryGib: 1,
    images: undefined,
  };
  const options = { seed: 1, newTagEvery: Infinity, sidecars: ['mesh:1'] };

  it('are those that the trace names, and else one of its template and the sidecars', () => {
    expect(imagesOf({ ...pod, images: ['x:1'] }, options)).toEqual(['x:1']);
    expect(imagesOf(pod, options)).toEqual(['registry.example/app/web-api:v1', 'mesh:1']);
  });

  it('have a new tag once in each period, and not all templates at the same time', () => {
    const tagsAt = (key: string): string[] =>
      Array.from(
        { length: 101 },
        (_, i) => imagesOf({ ...pod, key, created: i }, { ...options, newTagEvery: 50 })[0]!,
      );
    expect(new Set(tagsAt('a')).size).toBe(3);
    expect(tagsAt('a').indexOf(tagsAt('a')[100]!)).not.toBe(tagsAt('b').indexOf(tagsAt('b')[100]!));
  });
});

describe('the history of a cluster', () => {
  const NOW = Date.parse('2026-11-30T12:00:00Z');
  const containers = [
    { name: 'c', image: 'a:1', resources: { requests: { cpu: '500m', memory: '2Gi' } } },
    { name: 'd', image: 'b:1', resources: { requests: { cpu: '2' } } },
  ];
  const pod = (name: string, created: string, change: Json = {}, owner?: Json): Json => ({
    kind: 'Pod',
    metadata: {
      namespace: 'team',
      name,
      creationTimestamp: created,
      ...(owner && { ownerReferences: [owner] }),
    },
    spec: { containers },
    ...change,
  });
  const trace = (...objects: Json[]): ReturnType<typeof traceOfHistory> =>
    traceOfHistory(objects, () => true, NOW);

  it('has its pods with what they ask for, those that ended with their end', () => {
    const finishedAt = '2026-11-30T11:00:00Z';
    const status = { containerStatuses: [{ state: { terminated: { finishedAt } } }] };
    expect(
      trace(pod('p', '2026-11-30T10:00:00Z'), pod('q', '2026-11-30T10:30:00Z', { status })).pods,
    ).toEqual([
      {
        key: 'Pod team/p',
        namespace: 'team',
        created: 0,
        deleted: undefined,
        cpu: 2.5,
        memoryGib: 2,
        images: ['a:1', 'b:1'],
      },
      expect.objectContaining({ key: 'Pod team/q', created: 1800, deleted: 3600 }),
    ]);
  });

  it('ends when it was read, because what has not ended still runs', () => {
    expect(trace(pod('p', '2026-11-30T10:00:00Z')).end).toBe(2 * 3600);
  });

  it('reads the List that kubectl writes, and leaves out pods that would not go to ECI', () => {
    const list = {
      kind: 'List',
      items: [pod('p', '2026-11-30T10:00:00Z'), pod('q', '2026-11-30T10:00:00Z')],
    };
    const isP = (object: Json): boolean => (object['metadata'] as Json)['name'] === 'p';
    expect(traceOfHistory([list], isP, NOW).pods.map(({ key }) => key)).toEqual(['Pod team/p']);
  });

  it('has the pods of a Job that are gone, beside those that are left', () => {
    const job = {
      kind: 'Job',
      metadata: { namespace: 'team', name: 'j' },
      spec: { template: { metadata: { labels: { a: 'b' } }, spec: { containers } } },
      status: {
        startTime: '2026-11-30T10:00:00Z',
        completionTime: '2026-11-30T10:10:00Z',
        succeeded: 2,
        failed: 1,
      },
    };
    const ended = { status: { phase: 'Succeeded' } };
    const left = pod('j-x', '2026-11-30T10:05:00Z', ended, { kind: 'Job', name: 'j' });
    const running = pod('j-y', '2026-11-30T10:06:00Z', {}, { kind: 'Job', name: 'j' });
    expect(
      trace(job, left, running).pods.map(({ key, created, deleted }) => [key, created, deleted]),
    ).toEqual([
      ['Job team/j', 0, 600],
      ['Job team/j', 0, 600],
      ['Job team/j', 300, undefined],
      ['Job team/j', 360, undefined],
    ]);
  });

  it('has the pods of earlier ReplicaSets, until the next one was made', () => {
    const set = (name: string, created: string, replicas: number): Json => ({
      kind: 'ReplicaSet',
      metadata: {
        namespace: 'team',
        name,
        creationTimestamp: created,
        annotations: { 'deployment.kubernetes.io/desired-replicas': `${replicas}` },
        ownerReferences: [{ kind: 'Deployment', name: 'web' }],
      },
      spec: { template: { spec: { containers } } },
    });
    const { pods } = trace(
      set('web-2', '2026-11-30T11:00:00Z', 3),
      set('web-1', '2026-11-30T10:00:00Z', 2),
      pod('web-2-a', '2026-11-30T11:00:00Z', {}, { kind: 'ReplicaSet', name: 'web-2' }),
    );
    expect(pods.map(({ key, created, deleted }) => [key, created, deleted])).toEqual([
      ['Deployment team/web', 0, 3600],
      ['Deployment team/web', 0, 3600],
      ['ReplicaSet team/web-2', 3600, undefined],
    ]);
  });
});
