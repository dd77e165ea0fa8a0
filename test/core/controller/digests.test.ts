/** Which tags have moved, as the statuses of pods show it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Digests } from '../../../src/core/controller/digests.ts';
import { podObject, type Json } from '../../support/objects.ts';
import { ownCache } from '../../support/own-cache.ts';

const OLD = `sha256:${'a'.repeat(64)}`;
const NEW = `sha256:${'b'.repeat(64)}`;
const IMAGE = 'registry.example/app:1';
const CONTENTS = { ...ownCache('c', 0).contents, images: [{ text: IMAGE, key: IMAGE }] };
const CACHE = ownCache('c', 0, { id: 'imc-c', contents: CONTENTS });

let digests: Digests;
beforeEach(() => {
  digests = new Digests();
});

/** @param used the cache that ECI started the pod from */
function pod(minute: number, digest: string, used?: string, change: Json = {}): Json {
  const annotations = used === undefined ? {} : { 'k8s.aliyun.com/eci-matched-image-cache': used };
  const made = podObject({ images: [IMAGE], annotations });
  const status = {
    startTime: new Date(minute * 60_000).toISOString(),
    containerStatuses: [
      { name: 'c0', image: 'as the runtime says', imageID: `docker.io/library/app@${digest}` },
    ],
  };
  return { ...made, status, ...change };
}

/** The pod, with a container that asks the registry each time. */
function always(made: Json): Json {
  const containers = [{ name: 'c0', image: IMAGE, imagePullPolicy: 'Always' }];
  return { ...made, spec: { containers } };
}

const later = (digest: string, minute = 5): void => digests.note(pod(minute, digest));

describe('the tag of an image of a cache', () => {
  it('has moved once a pod without a cache shows another digest than the pods of the cache', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    expect(digests.moved(CACHE)).toEqual([]);
    later(NEW);
    expect(digests.moved(CACHE)).toEqual([IMAGE]);
  });

  it('has moved once a pod of the cache that always pulls shows another digest', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    digests.note(always(pod(5, NEW, 'imc-c')));
    expect(digests.moved(CACHE)).toEqual([IMAGE]);
  });

  it('has moved no more once the registry gives the old digest again', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    later(NEW);
    later(OLD, 9);
    expect(digests.moved(CACHE)).toEqual([]);
  });

  it('has not moved because pods of other caches have another one', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    digests.note(pod(5, NEW, 'imc-other'));
    expect(digests.moved(CACHE)).toEqual([]);
  });

  it('has not moved because of what was seen before the cache was made, so that it is not replaced again and again', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    later(NEW);
    const anew = { ...CACHE, id: 'imc-next', createdAtMs: 6 * 60_000 };
    // The registry of the region was late, and the new cache holds the old digest too.
    digests.note(pod(7, OLD, 'imc-next'));
    expect(digests.moved(anew)).toEqual([]);
  });

  it('is not known to have moved while no pod has taken it from the cache', () => {
    digests.note(always(pod(1, OLD, 'imc-c')));
    later(NEW);
    expect(digests.moved(CACHE)).toEqual([]);
  });

  it('is still known after a hundred thousand images of others', () => {
    for (let i = 0; i < 100_000; i++) {
      const image = `build:${i}`;
      digests.note({ ...pod(1, OLD), spec: { containers: [{ name: 'c0', image }] } });
    }
    digests.note(pod(2, OLD, 'imc-c'));
    later(NEW);
    expect(digests.moved(CACHE)).toEqual([IMAGE]);
  });

  it.each<[string, Json]>([
    ['without a status', { status: undefined }],
    [
      'whose image is not pulled yet',
      { status: { startTime: new Date(0).toISOString(), containerStatuses: [{ name: 'c0', imageID: '' }] } },
    ],
    [
      'that shows the ID of a configuration',
      { status: { startTime: new Date(0).toISOString(), containerStatuses: [{ name: 'c0', imageID: NEW }] } },
    ],
  ])('a pod %s shows nothing', (_title, change) => {
    digests.note(pod(1, OLD, 'imc-c'));
    digests.note(pod(5, NEW, undefined, change));
    expect(digests.moved(CACHE)).toEqual([]);
  });
});
