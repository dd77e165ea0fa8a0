/** Chooses few combinations of switches that contain every pair of values of two switches. */

/**
 * Each combination begins with two values that were not combined yet, and takes from every other switch the value that
 * makes the most new pairs.
 * @param sizes how many values each switch has
 * @returns for each combination the index of the value of each switch
 */
export function pairwise(sizes: readonly number[]): number[][] {
  const values = sizes.flatMap((size, a) => Array.from({ length: size }, (_, i) => [a, i] as const));
  type Value = (typeof values)[number];
  const nameOf = ([a, i]: Value, [b, j]: Value): string =>
    a < b ? `${a}.${i} ${b}.${j}` : `${b}.${j} ${a}.${i}`;
  const unmet = new Map(
    values.flatMap((one) =>
      values.filter(([b]) => one[0] < b).map((other) => [nameOf(one, other), [one, other] as const] as const),
    ),
  );
  const combinations: number[][] = [];
  while (unmet.size > 0) {
    const [pair] = unmet.values();
    const chosen = new Map(pair);
    const gainOf = (value: Value): number =>
      [...chosen].filter((other) => unmet.has(nameOf(value, other))).length;
    for (const a of sizes.keys()) {
      if (chosen.has(a)) continue;
      const [best] = values.filter(([b]) => a === b).toSorted((one, other) => gainOf(other) - gainOf(one));
      chosen.set(a, best![1]);
    }
    for (const one of chosen) for (const other of chosen) unmet.delete(nameOf(one, other));
    combinations.push(sizes.map((_, a) => chosen.get(a)!));
  }
  return combinations;
}
