/** Changes reviews that kube-apiserver sends into reviews that nobody would send; a seed always gives the same. */
import {
  AUTO,
  BURST_RESOURCE,
  CREATE_ON_MISS,
  DECISION,
  EXTRA_STORAGE,
  REQUEST_KEYS,
  STORAGE_OPTIONS,
} from '../../src/core/annotations.ts';
import type { Json } from '../support/objects.ts';

type Container = Record<string, unknown> | unknown[];

const KEYS = [
  ...REQUEST_KEYS,
  EXTRA_STORAGE,
  STORAGE_OPTIONS,
  BURST_RESOURCE,
  CREATE_ON_MISS,
  DECISION,
  '__proto__',
  'constructor',
  '',
  '~1/~0',
];
const TEXTS = [
  '',
  'true',
  'FALSE',
  't',
  '-1',
  '0',
  '2',
  '999999999999999999999',
  '1e9',
  '50Gi',
  '1E1000000',
  'imc-2zeditzeoemfhqor',
  'imc-none',
  'nginx',
  'nginx:1.14.2@sha256:abc',
  `a/b@sha256:${'0'.repeat(64)}`,
  'localhost:5000/../x',
  '[::1]:5000/x:1',
  'x'.repeat(300),
  'x/'.repeat(5000),
  'ü€😀\u0000\u001b[31m\u2028',
  '\ud800',
  '{"outcome":"hit","request":{},"wrote":{"annotations":{"a":null},"labels":{"app":"x"}}}',
  '{"wrote":{"annotations":{"k8s.aliyun.com/eci-imc-id":"imc-none"}},"request":{"k8s.aliyun.com/eci-auto-imc":"1"}}',
  '{"wrote":',
  '{"encrypted":"true"}',
  'eci_only',
];
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  [],
  {},
  [[]],
  { a: { b: 'c' } },
  ['x', 1],
];

export class Mutator {
  readonly #random: () => number;

  /** @param random uniform in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A review, changed in one to six places. */
  mutate(review: Json, others: readonly Json[]): Json {
    const mutant = structuredClone(review);
    for (let changes = 1 + this.#below(6); changes > 0; changes--) {
      if (this.#random() < 0.5) this.#annotate(mutant);
      else this.#disturb(mutant, others);
    }
    return mutant;
  }

  /** Overwrites some bytes of a JSON text, and in half of the cases also cuts the text short. */
  garble(text: string): Buffer {
    const bytes = Buffer.from(text);
    for (let changes = 1 + this.#below(4); changes > 0; changes--)
      bytes[this.#below(bytes.length)] = this.#below(256);
    return this.#random() < 0.5 ? bytes : bytes.subarray(0, this.#below(bytes.length));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Changes an annotation or a label, mostly one that the webhook reads. */
  #annotate(review: Json): void {
    const object = (review['request'] as { object?: unknown } | undefined)?.object;
    const metadata = (object as { metadata?: unknown } | null)?.metadata;
    if (typeof metadata !== 'object' || metadata === null) return;
    const field = this.pick(['annotations', 'annotations', 'labels']);
    const map: Record<string, unknown> = { ...(metadata as Record<string, Record<string, unknown>>)[field] };
    const key = this.pick(field === 'labels' ? ['alibabacloud.com/eci', 'eci', CREATE_ON_MISS, 'app'] : KEYS);
    Object.defineProperty(map, key, {
      value: this.#random() < 0.9 ? this.pick(TEXTS) : structuredClone(this.pick(VALUES)),
      enumerable: true,
      configurable: true,
      writable: true,
    });
    if (key === AUTO.modern && this.#random() < 0.3) delete map[key];
    (metadata as Record<string, unknown>)[field] = map;
  }

  /** Changes any value, mostly in the pod, because the webhook only refuses a review that is broken elsewhere. */
  #disturb(review: Json, others: readonly Json[]): void {
    const { container, key } = this.#place(review);
    const change = this.#below(6);
    const put = (value: unknown): void => {
      (container as Record<string, unknown>)[key] = structuredClone(value);
    };
    if (change === 0) put(this.pick(VALUES));
    else if (change === 1) put(this.pick(TEXTS));
    else if (change === 2 && Array.isArray(container)) container.splice(Number(key), 1);
    else if (change === 2) delete (container as Record<string, unknown>)[key];
    else if (change === 3 && Array.isArray(container))
      container.push(...Array.from({ length: 1 + this.#below(50) }, () => structuredClone(container[0])));
    else {
      const other = this.#place(this.pick(others));
      put((other.container as Record<string, unknown>)[other.key]);
    }
  }

  #place(review: Json): { container: Container; key: string } {
    const { object } = (review['request'] ?? {}) as { object?: Json | null };
    const root: Json = object && !isEmpty(object) && this.#random() < 0.95 ? object : review;
    let container: Container = root;
    for (;;) {
      const key = this.pick(Object.keys(container));
      const value = (container as Record<string, unknown>)[key];
      if (isEmpty(value) || this.#random() < 0.1) return { container, key };
      container = value as Container;
    }
  }
}

/** Whether a value has no fields or items to change. */
function isEmpty(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0;
}
