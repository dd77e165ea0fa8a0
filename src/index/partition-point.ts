/** Owns the binary search. */

/** The first of 0..length for which `before` is false, by binary search. */
export function partitionPoint(length: number, before: (index: number) => boolean): number {
  // What reading looks for is at the front: the images of a pod take less room than the smallest cache.
  if (length === 0 || !before(0)) return 0;
  let low = 1;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
