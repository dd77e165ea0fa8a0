/** The files source on real files: what it reads, how fast it follows, and how it treats broken files. */
import { SYSTEM_CLOCK } from '../../../src/clock.ts';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { ClusterIndex } from '../../../src/index/cluster-index.ts';
import { FilesSource } from '../../../src/sources/files/files-source.ts';
import {
  cacheObject,
  eciProfileObject,
  namespaceObject,
  nodeObject,
  selectorObject,
} from '../../support/objects.ts';
import { temporaryFolder } from '../../support/webhook.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

interface Watched {
  readonly index: ClusterIndex;
  readonly source: FilesSource;
  readonly problems: string[];
  readonly path: string;
  readonly write: (name: string, content: unknown) => void;
  /** The names, among the given names, whose cache is in the index. */
  readonly has: (...names: string[]) => string[];
}

/** How many polls of the folder have ended. */
let looks = 0;

async function watch(files: Record<string, unknown> = {}): Promise<Watched> {
  const folder = temporaryFolder(files);
  const index = new ClusterIndex();
  const problems: string[] = [];
  const source = new FilesSource(
    folder.path,
    index,
    {
      onProblem: (problem) => problems.push(problem),
      onProgress: () => undefined,
      onChange: () => undefined,
    },
    {
      ...SYSTEM_CLOCK,
      now: () => {
        looks++;
        return Date.now();
      },
    },
  );
  cleanups.push(folder.remove, () => source.stop());
  await source.start();
  const has = (...names: string[]): string[] =>
    names.filter((name) => index.cacheById(`imc-${name}`) !== undefined);
  return { index, source, problems, path: folder.path, write: folder.write, has };
}

/**
 * An edit must take effect within a second: the source polls every 200 ms, and at most three polls may end before the
 * edit takes effect. Polls are counted, because the machine may stand still for longer than a second.
 */
async function soon(check: () => void): Promise<void> {
  const before = looks;
  await vi.waitFor(check, { timeout: 20_000, interval: 20 });
  expect(looks - before).toBeLessThanOrEqual(3);
}

describe('reads', () => {
  it('every kind that the webhook uses, and is silent about the others', async () => {
    const { index, problems } = await watch({
      'all.yaml': [
        cacheObject({ name: 'a' }),
        namespaceObject('team', { a: 'b' }),
        nodeObject(
          'vk',
          { type: 'virtual-kubelet' },
          { 'nginx:1': 7, 'docker.io/library/nginx@sha256:abc': 8 },
        ),
        selectorObject('s', { priority: 3 }),
        eciProfileObject([{ name: 'e' }]),
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'other', namespace: 'kube-system' },
          data: { selectors: '{broken' },
        },
        { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
        { apiVersion: 'example.com/v1', kind: 'ImageCache', metadata: { name: 'not-ours' } },
      ]
        .map((object) => stringify(object))
        .join('---\n'),
    });
    expect(problems).toEqual([]);
    expect(index.imageCaches.size).toBe(1);
    expect(index.namespaceLabels('team')).toEqual(new Map([['a', 'b']]));
    expect(index.nodeLabels('vk')).toEqual(new Map([['type', 'virtual-kubelet']]));
    expect(index.imageSize('docker.io/library/nginx:1')).toBe(7);
    expect(index.profile().byPriority.all.map(({ name, priority }) => [name, priority])).toEqual([['s', 3]]);
    expect(index.profile().inOrder.all.map(({ name }) => name)).toEqual(['e']);
  });

  it('YAML and JSON, subfolders, lists as kubectl prints them, and empty documents', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'imc-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'inner'));
    writeFileSync(join(folder, 'a.json'), JSON.stringify(cacheObject({ name: 'a' })));
    writeFileSync(
      join(folder, 'inner', 'b.yml'),
      `---\n---\n${stringify(cacheObject({ name: 'b' }))}---\n# nothing\n`,
    );
    writeFileSync(
      join(folder, 'c.yaml'),
      stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [cacheObject({ name: 'c' }), cacheObject({ name: 'd' })],
      }),
    );
    writeFileSync(join(folder, 'e.txt'), 'not a manifest');
    execFileSync('mkfifo', [join(folder, 'pipe.yaml')]);
    mkdirSync(join(folder, 'folder.yaml'));
    writeFileSync(join(folder, '.f.yaml'), stringify(cacheObject({ name: 'f' })));
    const index = new ClusterIndex();
    const problems: string[] = [];
    const source = new FilesSource(
      folder,
      index,
      {
        onProblem: (problem) => problems.push(problem),
        onProgress: () => undefined,
        onChange: () => undefined,
      },
      SYSTEM_CLOCK,
    );
    await source.start();
    await source.stop();
    expect(problems).toEqual([]);
    expect(['a', 'b', 'c', 'd', 'f'].filter((name) => index.cacheById(`imc-${name}`))).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
  });

  it('nothing from a missing folder, and fails with a message that says so', async () => {
    const source = new FilesSource(
      '/nowhere',
      new ClusterIndex(),
      { onProblem: () => undefined, onProgress: () => undefined, onChange: () => undefined },
      SYSTEM_CLOCK,
    );
    await expect(source.start()).rejects.toThrow('folder /nowhere cannot be read: no such file or directory');
  });

  it('the fields of an ImageCache, with their defaults', async () => {
    const { index } = await watch({
      'a.yaml': `
apiVersion: eci.alibabacloud.com/v1
kind: ImageCache
metadata: {name: bare, creationTimestamp: 2026-11-01T00:00:00Z}
spec: {images: [nginx, 'nginx:latest', 'busybox:1']}
status: {imageCacheId: imc-bare}
`,
    });
    expect(index.cacheById('imc-bare')).toMatchObject({
      name: 'bare',
      id: 'imc-bare',
      images: [
        { key: 'docker.io/library/busybox:1', repository: 'docker.io/library/busybox', tag: '1' },
        { key: 'docker.io/library/nginx:latest', repository: 'docker.io/library/nginx', tag: 'latest' },
      ],
      sizeBytes: 20 * 2 ** 30,
      phase: '',
      progress: '',
      createdAtMs: Date.parse('2026-11-01T00:00:00Z'),
      expiresAtMs: undefined,
      deleting: false,
      region: undefined,
    });
  });
});

describe('follows within a second', () => {
  it('a new file, an edit, and a removal', async () => {
    const { write, has, path } = await watch({ 'a.json': cacheObject({ name: 'a' }) });
    write('b.json', cacheObject({ name: 'b' }));
    await soon(() => expect(has('a', 'b')).toEqual(['a', 'b']));
    write('a.json', cacheObject({ name: 'a', id: 'imc-changed' }));
    await soon(() => expect(has('a', 'b', 'changed')).toEqual(['b', 'changed']));
    unlinkSync(join(path, 'b.json'));
    await soon(() => expect(has('b', 'changed')).toEqual(['changed']));
  });

  it('an edit that keeps size and modification time', async () => {
    const { write, has, path } = await watch({ 'a.json': cacheObject({ name: 'a' }) });
    const time = new Date('2026-01-01T00:00:00Z');
    utimesSync(join(path, 'a.json'), time, time);
    write('a.json', cacheObject({ name: 'b' }));
    utimesSync(join(path, 'a.json'), time, time);
    await soon(() => expect(has('a', 'b')).toEqual(['b']));
  });

  it('a symlink that is swapped, as Kubernetes does with a mounted ConfigMap', async () => {
    const { write, has, path } = await watch();
    mkdirSync(join(path, '..v1'));
    mkdirSync(join(path, '..v2'));
    write('..v1/a.yaml', stringify(cacheObject({ name: 'a' })));
    write('..v2/a.yaml', stringify(cacheObject({ name: 'b' })));
    symlinkSync('..v1', join(path, '..data'));
    symlinkSync('..data/a.yaml', join(path, 'a.yaml'));
    await soon(() => expect(has('a', 'b')).toEqual(['a']));
    symlinkSync('..v2', join(path, '..tmp'));
    renameSync(join(path, '..tmp'), join(path, '..data'));
    await soon(() => expect(has('a', 'b')).toEqual(['b']));
  });

  it('an edit of the eci-profile ConfigMap, and the removal of a Selector', async () => {
    const { write, index, path } = await watch({
      'profile.json': eciProfileObject([{ name: 'one' }]),
      'selector.json': selectorObject('s', {}),
    });
    write('profile.json', eciProfileObject([{ name: 'two' }]));
    unlinkSync(join(path, 'selector.json'));
    await soon(() => {
      expect(index.profile().inOrder.all.map(({ name }) => name)).toEqual(['two']);
      expect(index.profile().byPriority.all).toEqual([]);
    });
  });

  it('and confirms the index with each poll', async () => {
    const { index } = await watch();
    const before = index.confirmedAtMs()!;
    await soon(() => expect(index.confirmedAtMs()).toBeGreaterThan(before));
  });
});

describe('a fault is reported by file and line, and the state before stays', () => {
  it('a file that is no YAML keeps all objects that it had', async () => {
    const { write, has, problems, path, source } = await watch({
      'a.yaml': [cacheObject({ name: 'a' }), cacheObject({ name: 'b' })]
        .map((object) => stringify(object))
        .join('---\n'),
    });
    write('a.yaml', `${stringify(cacheObject({ name: 'c' }))}\nbroken: [`);
    await soon(() => expect(problems).toHaveLength(1));
    expect(problems[0]).toMatch(new RegExp(`^${path}/a\\.yaml:\\d+: `));
    expect(has('a', 'b', 'c')).toEqual(['a', 'b']);
    expect(source.problems()).toEqual(problems);
    write('a.yaml', stringify(cacheObject({ name: 'c' })));
    await soon(() => expect(has('a', 'b', 'c')).toEqual(['c']));
    expect(source.problems()).toEqual([]);
  });

  it('an object that cannot be read keeps its former state, and other objects of its file take effect', async () => {
    const { write, has, problems, path } = await watch({ 'a.yaml': stringify(cacheObject({ name: 'a' })) });
    write(
      'a.yaml',
      `${stringify({ ...cacheObject({ name: 'a', id: 'imc-changed' }), spec: { images: ['ok:1', 'NOT OK'] } })}---\n${stringify(cacheObject({ name: 'b' }))}`,
    );
    await soon(() => expect(has('a', 'b', 'changed')).toEqual(['a', 'b']));
    expect(problems).toEqual([`${path}/a.yaml:9: spec.images[1] is no image reference: "NOT OK"`]);
  });

  it('a broken eci-profile leaves the last good profile in force', async () => {
    const { write, index, problems } = await watch({
      'p.yaml': stringify(eciProfileObject([{ name: 'good' }])),
    });
    write('p.yaml', stringify(eciProfileObject('[{"name": "bad",}]')));
    await soon(() => expect(problems).toEqual([expect.stringContaining('data.selectors is not JSON')]));
    expect(index.profile().inOrder.all.map(({ name }) => name)).toEqual(['good']);
  });

  it.each([
    [
      'an object in a list',
      JSON.stringify(
        {
          apiVersion: 'v1',
          kind: 'List',
          items: [cacheObject({ name: 'a' }), cacheObject({ name: 'b', images: [] })],
        },
        null,
        2,
      ),
      ':32: spec.images must be',
    ],
    ['a syntax error', '{\n  "kind": "Node",\n  "metadata": [\n}', ':4: '],
  ])('also in a JSON file: %s', async (_title, text, problem) => {
    const { problems } = await watch({ 'x.json': text });
    expect(problems[0]).toContain(`x.json${problem}`);
  });

  it('of two objects with one name, the object of the first file counts until that file is removed', async () => {
    const { problems, index, path } = await watch({
      'a.json': cacheObject({ name: 'same', id: 'imc-a' }),
      'b.json': cacheObject({ name: 'same', id: 'imc-b' }),
    });
    expect(problems).toEqual([
      `${path}/b.json: ImageCache same is in ${path}/a.json already; this one is ignored`,
    ]);
    expect(index.cacheById('imc-a')).toBeDefined();
    unlinkSync(join(path, 'a.json'));
    await soon(() => expect(index.cacheById('imc-b')).toBeDefined());
  });

  it('if the folder disappears, the index stays as it is and grows older', async () => {
    const { has, problems, path, index, source } = await watch({ 'a.json': cacheObject({ name: 'a' }) });
    renameSync(path, `${path}-gone`);
    cleanups.push(() => rmSync(`${path}-gone`, { recursive: true }));
    await soon(() =>
      expect(problems).toEqual([expect.stringContaining('cannot be read: no such file or directory')]),
    );
    expect(source.problems()).toHaveLength(1);
    const age = index.confirmedAtMs();
    expect(has('a')).toEqual(['a']);
    expect(index.confirmedAtMs()).toBe(age);
    renameSync(`${path}-gone`, path);
    await soon(() => expect(source.problems()).toEqual([]));
    mkdirSync(`${path}-gone`);
  });

  it.each([
    ['no object', '- a', ':1: document is an array'],
    ['no kind', 'apiVersion: v1\nmetadata: {name: x}', ':1: kind is missing'],
    ['no apiVersion', 'kind: Node', ':1: apiVersion is missing'],
    ['no name', '\napiVersion: v1\nkind: Node\nmetadata: {}', ':4: metadata.name is missing'],
    ['a tab', 'a:\n\tb: 1', ':2: '],
    ['a duplicate key', 'a: 1\na: 2', ':2: '],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: [${'*c,'.repeat(9)}]`,
      ': ',
    ],
    ['an unknown alias', 'a: *b', ':1: '],
    [
      'an ImageCache without images',
      stringify({ ...cacheObject({ name: 'x' }), spec: {} }),
      ': spec.images must be an array',
    ],
    [
      'an ImageCache with an empty list of images',
      stringify({ ...cacheObject({ name: 'x' }), spec: { images: [] } }),
      ': spec.images must be an array',
    ],
    [
      'an ImageCache with a size that is text',
      stringify({ ...cacheObject({ name: 'x' }), spec: { images: ['a'], imageCacheSize: '20' } }),
      'spec.imageCacheSize is "20"; it must be a positive whole number of GiB: it counts as 20',
    ],
    [
      'an ImageCache with a bad time',
      stringify({ ...cacheObject({ name: 'x' }), status: { expireDateTime: 'soon' } }),
      'status.expireDateTime is no time',
    ],
    [
      'an ImageCache with a spec that is text',
      stringify({ ...cacheObject({ name: 'x' }), spec: 'x' }),
      'spec is a string; it must be an object',
    ],
    [
      'a Selector with a bad operator',
      stringify(selectorObject('x', { objectLabels: { matchExpressions: [{ key: 'a', operator: 'Is' }] } })),
      ':9: spec.objectLabels.matchExpressions[0].operator is "Is"',
    ],
    [
      'a Selector with a bad priority',
      stringify(selectorObject('x', { priority: 'high' })),
      ':6: spec.priority must be a whole number',
    ],
    [
      'a Selector that writes our own annotation',
      stringify(selectorObject('x', { effect: { annotations: { 'imagecache-webhook.io/decision': 'x' } } })),
      'which is reserved for the webhook',
    ],
    [
      'a Selector that writes a label of ours',
      stringify(
        selectorObject('x', { effect: { labels: { 'imagecache-webhook.io/wait-for-cache': 'true' } } }),
      ),
      'which is reserved for the webhook',
    ],
  ])('%s', async (_title, text, problem) => {
    const { problems, path } = await watch({ 'x.yaml': text });
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(problems[0]).toContain(`${path}/x.yaml`);
  });
});
