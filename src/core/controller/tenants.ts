/**
 * Tenants, and how many places of the quota each holds. A namespace is a tenant, unless a label puts several namespaces
 * together. Every active tenant has an equal share of the quota.
 */
import type { View } from '../decision/view.ts';

/**
 * The tenant that a namespace belongs to: namespaces with the same value of the label are one tenant.
 * @param label name of a label of namespaces; empty: each namespace is a tenant of its own
 */
export function tenantOfNamespace(namespace: string, label: string, view: View): string {
  const value = label === '' ? undefined : view.namespaceLabels(namespace).get(label);
  // No namespace has an equals sign in its name.
  return value === undefined || value === '' ? namespace : `${label}=${value}`;
}

/** How many places of the quota each tenant holds. The tenants that use one cache are charged for it in equal parts. */
export class Holdings {
  /** The places that each active tenant may hold: an equal part of the quota, and at least one. */
  readonly share: number;
  readonly #places = new Map<string, number>();

  /**
   * @param users for each cache, the tenants that use it
   * @param waiting the tenants that miss a cache; they are active, too
   */
  constructor(quota: number, users: Iterable<readonly string[]>, waiting: Iterable<string>) {
    for (const tenant of waiting) this.#places.set(tenant, 0);
    for (const tenants of users) this.charge(tenants, 1);
    this.share = Math.max(quota / Math.max(this.#places.size, 1), 1);
  }

  /** @param places 1 for a cache that the tenants get, -1 for one that they lose */
  charge(tenants: readonly string[], places: 1 | -1): void {
    for (const tenant of tenants) this.#places.set(tenant, this.of(tenant) + places / tenants.length);
  }

  of(tenant: string): number {
    return this.#places.get(tenant) ?? 0;
  }

  /** The tenants that hold more than their share, the one furthest over it first. */
  overShare(): string[] {
    return [...this.#places]
      .filter(([, places]) => places > this.share + ROUNDING)
      .toSorted(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
      .map(([tenant]) => tenant);
  }

  isBelowShare(tenant: string): boolean {
    return this.of(tenant) < this.share - ROUNDING;
  }
}

/** Thirds and fifths of places do not add up exactly. */
const ROUNDING = 1e-6;
