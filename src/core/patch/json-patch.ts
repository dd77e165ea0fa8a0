/**
 * Owns the patch: the smallest JSON Patch (RFC 6902) that turns the pod as we saw it into the pod as decided.
 * Touches annotations, labels and imagePullPolicy, and nothing else.
 */
import type { Pod } from '../pod.ts';
import type { StringMap } from '../json.ts';

export interface Operation {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  /** A map where a whole one is added; absent for `remove`. */
  readonly value?: string | Readonly<Record<string, string>>;
}

/** What a patch may touch. */
type Patched = Pick<Pod, 'annotations' | 'labels' | 'containers'>;

/** Empty where nothing changes. */
export function patchBetween(from: Patched & Pick<Pod, 'present'>, to: Patched): Operation[] {
  const metadata = metadataOperations(from, to);
  const policies = to.containers.flatMap((container, index): Operation[] => {
    const before = from.containers[index]?.imagePullPolicy;
    const after = container.imagePullPolicy;
    if (before === after || after === undefined) return [];
    const op = before === undefined ? 'add' : 'replace';
    return [{ op, path: `${container.pointer}/imagePullPolicy`, value: after }];
  });
  return [...metadata, ...policies];
}

function metadataOperations(from: Patched & Pick<Pod, 'present'>, to: Patched): Operation[] {
  const operations = [
    ...mapOperations('/metadata/annotations', from.annotations, to.annotations, from.present.annotations),
    ...mapOperations('/metadata/labels', from.labels, to.labels, from.present.labels),
  ];
  const parentMissing = operations.length > 0 && !from.present.metadata;
  return parentMissing ? [{ op: 'add', path: '/metadata', value: {} }, ...operations] : operations;
}

function mapOperations(path: string, from: StringMap, to: StringMap, present: boolean): Operation[] {
  if (!present) return to.size === 0 ? [] : [{ op: 'add', path, value: Object.fromEntries(to) }];
  const operations: Operation[] = [];
  for (const [key, value] of to) {
    if (from.get(key) === value) continue;
    operations.push({ op: from.has(key) ? 'replace' : 'add', path: `${path}/${escapePointer(key)}`, value });
  }
  for (const key of from.keys()) {
    if (!to.has(key)) operations.push({ op: 'remove', path: `${path}/${escapePointer(key)}` });
  }
  return operations;
}

/** RFC 6901, section 3: `~` first, or the tilde of `~1` would be escaped again. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
