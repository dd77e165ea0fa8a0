import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { imageSetHash, podImages, type PodImages } from '../../../src/core/image/image-set.ts';
import type { Container } from '../../../src/core/pod.ts';
import { parseImageReference } from '../../../src/core/image/reference.ts';
import { sha256Hex } from '../../../src/core/image/sha256.ts';

const DIGEST = `sha256:${'0a'.repeat(32)}`;

/** A host counts for nothing in the limit of 255 characters, which is for the path. */
const LONG_HOST = `${'h'.repeat(60)}.${'h'.repeat(60)}.example`;

describe('an image reference is normalised as the OCI distribution grammar does', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.7.9', 'docker.io/library/nginx', 'docker.io/library/nginx:1.7.9'],
    ['library/nginx', 'docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/nginx', 'docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    ['docker.io/library/nginx:latest', 'docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    ['docker/whalesay', 'docker.io/docker/whalesay', 'docker.io/docker/whalesay:latest'],
    ['localhost/app', 'localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app:v1', 'localhost:5000/app', 'localhost:5000/app:v1'],
    ['myhost:5000/a/b/c:v1', 'myhost:5000/a/b/c', 'myhost:5000/a/b/c:v1'],
    ['[2001:db8::1]:5000/app', '[2001:db8::1]:5000/app', '[2001:db8::1]:5000/app:latest'],
    ['HOST/app', 'HOST/app', 'HOST/app:latest'],
    ['a/b_c/d__e/f--g.h:T_1.-', 'docker.io/a/b_c/d__e/f--g.h', 'docker.io/a/b_c/d__e/f--g.h:T_1.-'],
    [
      'registry.cn-shanghai.aliyuncs.com/eci_open/nginx:1.14.2',
      'registry.cn-shanghai.aliyuncs.com/eci_open/nginx',
      'registry.cn-shanghai.aliyuncs.com/eci_open/nginx:1.14.2',
    ],
    [`nginx@${DIGEST}`, 'docker.io/library/nginx', `docker.io/library/nginx@${DIGEST}`],
    [
      `${LONG_HOST}/${'x'.repeat(255)}`,
      `${LONG_HOST}/${'x'.repeat(255)}`,
      `${LONG_HOST}/${'x'.repeat(255)}:latest`,
    ],
    ['x'.repeat(247), `docker.io/library/${'x'.repeat(247)}`, `docker.io/library/${'x'.repeat(247)}:latest`],
  ])('%s', (text, repository, key) => {
    expect(parseImageReference(text)).toMatchObject({ repository, key });
  });

  it('identifies an image by its digest if there is a digest, whatever the tag is', () => {
    expect(parseImageReference(`nginx:1.7.9@${DIGEST}`)?.key).toBe(
      parseImageReference(`nginx@${DIGEST}`)?.key,
    );
    expect(parseImageReference(`nginx:1.7.9@${DIGEST}`)?.tag).toBe('1.7.9');
    expect(parseImageReference(`nginx@${DIGEST}`)?.tag).toBeUndefined();
  });

  it.each([
    '',
    ' ',
    'NGINX',
    'nginx:',
    'nginx:-x',
    `nginx:${'t'.repeat(129)}`,
    'nginx@sha256:abc',
    `nginx@sha256:${'0A'.repeat(32)}`,
    `nginx@md5:${'0a'.repeat(32)}`,
    'nginx@',
    '/nginx',
    'nginx/',
    'a//b',
    'a b',
    'https://example.com/app',
    'host.io/App',
    '-host.io/app',
    'host.io:port/app',
    'a___b',
    '0a'.repeat(32),
    `${'a/'.repeat(130)}b`,
    `host.io/${'x'.repeat(256)}`,
    'x'.repeat(248),
    'x'.repeat(10_000),
    'nginx:1.7.9\n',
  ])('refuses %j', (text) => {
    expect(parseImageReference(text)).toBeUndefined();
  });

  it('throws for no text, and reads the key of a reference as the same image', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^[a-z]{1,3}(\/[a-z]{1,3}){0,2}(:[a-z0-9]{1,3})?$/)),
        (text) => {
          const reference = parseImageReference(text);
          if (reference) {
            const { key, repository } = reference;
            expect(parseImageReference(key)).toMatchObject({ key, repository });
          }
        },
      ),
    );
  });
});

describe('the images of a pod', () => {
  const container = (image: string): Container => ({
    name: 'c',
    image,
    imagePullPolicy: undefined,
    pointer: '',
  });

  const imagesOf = (containers: readonly Container[]): PodImages =>
    podImages({ containers, imageVolumes: [] }, 'ignore')!;

  it('are the distinct references, however they are spelled', () => {
    const images = imagesOf(['nginx', 'docker.io/library/nginx:latest', 'nginx:1', 'nginx'].map(container));
    expect(images.references.map(({ key }) => key)).toEqual([
      'docker.io/library/nginx:latest',
      'docker.io/library/nginx:1',
    ]);
    expect(images.count).toBe(2);
  });

  it('include the texts that are no valid reference, each once', () => {
    const images = imagesOf(['nginx', 'NGINX', 'NGINX', ''].map(container));
    expect(images).toMatchObject({ invalid: ['NGINX', ''], count: 3 });
  });

  it('are not read beyond a hundred, however many there are, and whether they are valid or not', () => {
    const names = (count: number, of: (i: number) => string): Container[] =>
      Array.from({ length: count }, (_, i) => container(of(i)));
    expect(imagesOf(names(100, (i) => `a:${i}`)).count).toBe(100);
    expect(imagesOf(names(1000, (i) => `a:${i % 100}`)).count).toBe(100);
    expect(imagesOf(names(101, (i) => `a:${i}`))).toBeUndefined();
    expect(imagesOf(names(101, (i) => `A${i}`))).toBeUndefined();
    let read = 0;
    const counting = names(100_000, (i) => `a:${i}`).map((each) => ({
      ...each,
      get image() {
        read++;
        return each.image;
      },
    }));
    expect(imagesOf(counting)).toBeUndefined();
    expect(read).toBe(101);
  });

  it('have a hash that depends on the set alone, and fits a label value', () => {
    const hashOf = (...texts: string[]): string => imageSetHash(imagesOf(texts.map(container)).references);
    expect(hashOf('a:1', 'b:1', 'b:1')).toBe(hashOf('docker.io/library/b:1', 'a:1'));
    expect(hashOf('a:1')).not.toBe(hashOf('a:2'));
    expect(hashOf('a:1')).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('sha256Hex', () => {
  it('agrees with node:crypto on ASCII of any length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 300 }), (text) => {
        expect(sha256Hex(text)).toBe(createHash('sha256').update(text).digest('hex'));
      }),
      { numRuns: 500 },
    );
    for (const length of [0, 55, 56, 57, 63, 64, 65, 119, 120, 128]) {
      const text = 'x'.repeat(length);
      expect(sha256Hex(text)).toBe(createHash('sha256').update(text).digest('hex'));
    }
  });
});
