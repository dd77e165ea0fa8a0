/** Owns the list that nearly always holds one item, which then costs no array: of a million such, it matters. */

export type Few<T extends number | object> = T | readonly T[];

export function itemsOf<T extends number | object>(few: Few<T>): readonly T[] {
  return isList(few) ? few : [few];
}

export function firstOf<T extends number | object>(few: Few<T>): T | undefined {
  return isList(few) ? few[0] : few;
}

export function fewOf<T extends number | object>(items: readonly T[]): Few<T> {
  const [first] = items;
  return first !== undefined && items.length === 1 ? first : items;
}

function isList<T extends number | object>(few: Few<T>): few is readonly T[] {
  return Array.isArray(few);
}
