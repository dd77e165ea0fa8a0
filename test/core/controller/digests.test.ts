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

describe('the tag of an image of a cache', () => {
  it('has moved once a later pod shows another digest than the pods of the cache', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    expect(digests.moved(CACHE)).toEqual([]);
    digests.note(pod(5, NEW));
    expect(digests.moved(CACHE)).toEqual([IMAGE]);
  });

  it('has not moved because a pod from the cache starts later still', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    digests.note(pod(5, NEW));
    digests.note(pod(9, OLD, 'imc-c'));
    expect(digests.moved(CACHE)).toEqual([IMAGE]);
  });

  it('has not moved because a pod from before the cache had another one', () => {
    digests.note(pod(1, OLD));
    digests.note(pod(5, NEW, 'imc-c'));
    expect(digests.moved(CACHE)).toEqual([]);
  });

  it('is not known to have moved while no pod from the cache has been seen', () => {
    digests.note(pod(1, OLD));
    digests.note(pod(5, NEW));
    expect(digests.moved(CACHE)).toEqual([]);
  });

  it('counts for the cache that pods start from, not for the one that replaces it', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    digests.note(pod(5, NEW));
    digests.note(pod(6, NEW, 'imc-next'));
    expect(digests.moved({ ...CACHE, id: 'imc-next' })).toEqual([]);
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

  it('keeps the latest four of a thousand digests', () => {
    digests.note(pod(1, OLD, 'imc-c'));
    for (let i = 0; i < 1000; i++) digests.note(pod(2 + i, `sha256:${String(i).padStart(64, '0')}`));
    expect(digests.moved(CACHE)).toEqual([IMAGE]);
  });
});
