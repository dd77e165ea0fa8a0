/** A folder as the controller's cluster: the objects that the controller reads, creates and deletes there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FilesCluster } from '../../../src/sources/files/files-cluster.ts';
import { FakeClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { cacheObject, podObject, type Json } from '../../support/objects.ts';
import { temporaryFolder } from '../../support/webhook.ts';

/** The label by which the controller recognises the ImageCaches that it made. */
const LABELS = { 'imagecache-webhook.io/made-by': 'controller' };

let folder: ReturnType<typeof temporaryFolder>;
let clock: FakeClock;
let cluster: FilesCluster;
let changes = 0;
const problems: string[] = [];

beforeEach(() => {
  folder = temporaryFolder();
  clock = new FakeClock();
  changes = 0;
  problems.length = 0;
  cluster = new FilesCluster(
    folder.path,
    { onChange: () => changes++, onProblem: (problem) => problems.push(problem), onPlaced: () => undefined },
    clock,
  );
});
afterEach(async () => {
  await cluster.stop();
  folder.remove();
});

/** An ImageCache that the controller made. */
function own(name: string): Json {
  const object = cacheObject({ name, images: ['a:1'] });
  return { ...object, metadata: { ...(object['metadata'] as Json), labels: LABELS, uid: name } };
}

describe('the controller reads from the folder', () => {
  it('all pods, and the ImageCaches that it made, but no others', async () => {
    const marker = { 'imagecache-webhook.io/create-on-miss': 'x' };
    folder.write('plain.json', podObject());
    folder.write('marked.json', podObject({ annotations: marker }));
    folder.write('by-hand.json', cacheObject({ name: 'by-hand', images: ['b:1'] }));
    folder.write('auto-1.json', own('auto-1'));
    await cluster.start();
    expect([...cluster.pods()]).toHaveLength(2);
    expect(cluster.ownCaches().map(({ name }) => name)).toEqual(['auto-1']);
  });

  it('the use of a cache, once for each pod on a node', async () => {
    const annotations = { 'k8s.aliyun.com/eci-imc-id': 'imc-a' };
    const spec = { containers: [{ name: 'c', image: 'a:1' }], nodeName: 'virtual-kubelet' };
    folder.write('on-node.json', podObject({ annotations, spec }));
    await cluster.start();
    expect(cluster.takeUses().get('imc-a')?.pods).toBe(1);
    expect(cluster.takeUses().size).toBe(0);
  });

  it('a change at the next poll, and is woken once', async () => {
    await cluster.start();
    changes = 0;
    await clock.advance(300);
    expect(changes).toBe(0);
    folder.write('pod.json', podObject());
    await eventually(async () => {
      await clock.advance(300);
      expect([...cluster.pods()]).toHaveLength(1);
    });
    expect(changes).toBe(1);
    await clock.advance(900);
    expect(changes).toBe(1);
  });

  it('the time of the last poll, which is the age of its data', async () => {
    await cluster.start();
    expect(cluster.confirmedAtMs()).toBe(clock.now());
    await eventually(async () => {
      await clock.advance(300);
      expect(clock.now() - cluster.confirmedAtMs()!).toBeLessThan(300);
    });
  });
});

describe('an ImageCache that the controller made', () => {
  beforeEach(async () => {
    folder.write('auto-1.json', own('auto-1'));
    await cluster.start();
  });

  it('is deleted with its file', async () => {
    const [cache] = cluster.ownCaches();
    expect(cache?.name).toBe('auto-1');
    expect(await cluster.delete(cache!)).toBe('done');
    expect(existsSync(join(folder.path, 'auto-1.json'))).toBe(false);
  });

  it('is not deleted if its uid is not the expected uid', async () => {
    const [cache] = cluster.ownCaches();
    expect(await cluster.delete({ ...cache!, uid: 'of-another' })).toBe('outdated');
    expect(existsSync(join(folder.path, 'auto-1.json'))).toBe(true);
  });

  it('gets and loses annotations', async () => {
    const [cache] = cluster.ownCaches();
    expect(
      await cluster.annotate(cache!, { 'imagecache-webhook.io/retiring': 'Idle 2026-11-21T12:00:00Z' }),
    ).toBe('done');
    const [marked] = cluster.ownCaches();
    expect(marked!.retiring).toEqual({ reason: 'Idle', sinceMs: Date.parse('2026-11-21T12:00:00Z') });
    expect(await cluster.annotate(marked!, { 'imagecache-webhook.io/retiring': null })).toBe('done');
    expect(cluster.ownCaches()[0]!.retiring).toBeUndefined();
  });

  it('is not created twice', async () => {
    expect(await cluster.create(own('auto-2'))).toBe('done');
    expect(await cluster.create(own('auto-2'))).toBe('outdated');
  });
});

it('a created ImageCache has a uid and a creation time, as from an API server', async () => {
  await cluster.start();
  expect(await cluster.create(own('auto-2'))).toBe('done');
  await eventually(async () => {
    await clock.advance(300);
    expect(cluster.ownCaches()).toHaveLength(1);
  });
  const [cache] = cluster.ownCaches();
  expect(cache?.uid).toMatch(/^[0-9a-f-]{36}$/);
  expect(clock.now() - cache!.createdAtMs).toBeLessThan(60_000);
});

it('a folder that can no longer be read is reported as a problem', async () => {
  await cluster.start();
  folder.remove();
  await eventually(async () => {
    await clock.advance(300);
    expect(problems.length).toBeGreaterThan(0);
  });
});
