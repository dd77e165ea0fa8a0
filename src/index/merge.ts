/** Owns the merge of sorted sequences into one, read lazily. */

/**
 * Merges sequences, each sorted by `compare`, into one that is sorted likewise. Items that compare as equal are the
 * same item, found by several ways, and come once.
 */
export function* mergeSorted<T>(
  sequences: readonly Iterable<T>[],
  compare: (a: T, b: T) => number,
): Generator<T, undefined> {
  const heads: { value: T; rest: Iterator<T> }[] = [];
  for (const sequence of sequences) {
    const rest = sequence[Symbol.iterator]();
    const { done, value } = rest.next();
    if (done !== true) heads.push({ value, rest });
  }
  while (heads.length > 0) {
    const { value: least } = heads.reduce((a, b) => (compare(b.value, a.value) < 0 ? b : a));
    yield least;
    for (let i = heads.length - 1; i >= 0; i--) {
      const head = heads[i]!;
      if (compare(head.value, least) !== 0) continue;
      const { done, value } = head.rest.next();
      if (done === true) heads.splice(i, 1);
      else head.value = value;
    }
  }
  return undefined;
}
