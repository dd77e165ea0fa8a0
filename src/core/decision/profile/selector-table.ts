/**
 * Finds the selectors that match a pod. Nearly every selector requires a value of a label, of the pod or its namespace,
 * and the table looks selectors up by that label: so a thousand selectors cost about as much as a few.
 */
import type { StringMap } from '../../kubernetes/json.ts';
import { matchesLabels, type LabelSelector } from '../../kubernetes/label-selector.ts';

/** The fields of a selector that are matched. */
export interface Selecting {
  readonly namespaceSelector: LabelSelector;
  readonly objectSelector: LabelSelector;
}

/** The positions of selectors in the order, by the label and the value that they require. */
type ByLabel = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

export class SelectorTable<T extends Selecting> {
  readonly all: readonly T[];
  readonly #byPodLabel: ByLabel;
  readonly #byNamespaceLabel: ByLabel;
  /** The positions of the selectors that require no value of a label. */
  readonly #others: readonly number[];

  /** @param selectors in the order in which they apply */
  constructor(selectors: readonly T[]) {
    this.all = selectors;
    const byPodLabel = new Map<string, Map<string, number[]>>();
    const byNamespaceLabel = new Map<string, Map<string, number[]>>();
    this.#others = [...selectors.keys()].filter((place) => {
      const { objectSelector, namespaceSelector } = selectors[place]!;
      return !enter(byPodLabel, objectSelector, place) && !enter(byNamespaceLabel, namespaceSelector, place);
    });
    this.#byPodLabel = byPodLabel;
    this.#byNamespaceLabel = byNamespaceLabel;
  }

  /** The selectors that match, in order. */
  matching(podLabels: StringMap, namespaceLabels: StringMap): T[] {
    const places = [
      ...this.#others,
      ...placesUnder(this.#byPodLabel, podLabels),
      ...placesUnder(this.#byNamespaceLabel, namespaceLabels),
    ];
    return places
      .toSorted((a, b) => a - b)
      .map((place) => this.all[place]!)
      .filter(
        ({ objectSelector, namespaceSelector }) =>
          matchesLabels(objectSelector, podLabels) && matchesLabels(namespaceSelector, namespaceLabels),
      );
  }
}

/** Enters a selector under each value of a label that it requires. @returns false if it requires no such values */
function enter(table: Map<string, Map<string, number[]>>, selector: LabelSelector, place: number): boolean {
  const wanted = selector.find(({ operator }) => operator === 'In');
  if (!wanted) return false;
  const byValue = table.get(wanted.key) ?? new Map<string, number[]>();
  table.set(wanted.key, byValue);
  for (const value of wanted.values) byValue.set(value, [...(byValue.get(value) ?? []), place]);
  return true;
}

function placesUnder(table: ByLabel, labels: StringMap): number[] {
  const places: number[] = [];
  if (table.size === 0) return places;
  for (const [key, value] of labels) places.push(...(table.get(key)?.get(value) ?? []));
  return places;
}
