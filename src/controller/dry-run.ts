/** The cluster for a controller that only says what it would do. */
import { RETIRING } from '../core/annotations.ts';
import type { OwnCache } from '../core/controller/own-cache.ts';
import { partOf, textsIn } from '../core/kubernetes/json.ts';
import { objectName } from '../core/kubernetes/object.ts';
import type { Cluster, Written } from './cluster.ts';

/** Changes that are remembered, so that each is said once. */
const MOST_SAID = 10_000;

/**
 * A cluster that nothing is written to: every change of a cache counts as outdated, so that the plan stays as it is.
 * @param say called once for each change that would be made
 */
export function withoutWrites(
  cluster: Cluster,
  say: (change: 'create' | 'mark' | 'unmark' | 'delete', name: string, images: readonly string[]) => void,
): Cluster {
  const said = new Set<string>();
  const note = (
    change: Parameters<typeof say>[0],
    name: string,
    images: readonly string[],
  ): Promise<Written> => {
    const key = `${change} ${name}`;
    if (!said.has(key) && said.size < MOST_SAID) {
      said.add(key);
      say(change, name, images);
    }
    return Promise.resolve('outdated');
  };
  return {
    pods: () => cluster.pods(),
    takeUses: () => cluster.takeUses(),
    ownCaches: () => cluster.ownCaches(),
    moved: (cache) => cluster.moved(cache),
    lives: (now, published) => cluster.lives(now, published),
    patchPod: () => Promise.resolve('outdated'),
    publishLives: () => Promise.resolve('done'),
    confirmedAtMs: () => cluster.confirmedAtMs(),
    workloads: () => cluster.workloads(),
    pullSecretsOf: (namespace, account) => cluster.pullSecretsOf(namespace, account),
    create: (object) => note('create', objectName(object), textsIn(partOf(object, 'spec')['images'])),
    annotate: (cache, annotations) => {
      // The use of a cache is recorded all the time, and changes nothing.
      if (!(RETIRING in annotations)) return Promise.resolve('done');
      return note(annotations[RETIRING] === null ? 'unmark' : 'mark', cache.name, imagesOf(cache));
    },
    delete: (cache) => note('delete', cache.name, imagesOf(cache)),
    recordEvent: () => undefined,
  };
}

function imagesOf({ contents }: OwnCache): string[] {
  return contents.images.map(({ text }) => text);
}
