/** Caches, misses and situations for tests of the controller's plan. */
import type { Miss } from '../../src/core/controller/misses.ts';
import type { OwnCache } from '../../src/core/controller/own-cache.ts';
import { plan, type Plan, type PlanOptions, type Situation } from '../../src/core/controller/plan.ts';
import { cacheName, nameOfAttempt, type DesiredCache } from '../../src/core/controller/desired-cache.ts';
import { PACKER } from '../../src/core/controller/packing.ts';
import { ownCache } from './own-cache.ts';

export const NOW = Date.parse('2026-11-21T12:00:00Z');
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const OPTIONS: PlanOptions = {
  quota: 3,
  packing: false,
  missesBefore: 1,
  refresh: 'never',
  idleAfter: 30 * DAY,
  retireWait: 2 * MINUTE,
  tenantCreationsPerHour: 1000,
  creationsPerHour: 1000,
};

export function desired(image: string): DesiredCache {
  return {
    images: [{ text: image, key: `docker.io/library/${image}` }],
    imageSet: image,
    sizeGib: 30,
    largestGib: 100,
    fixedSizeGib: undefined,
    architecture: 'amd64',
    operatingSystem: 'linux',
    pullSecrets: [],
    registry: new Map(),
    owner: undefined,
  };
}

export const nameFor = (image: string): string => cacheName(desired(image));

/** @param ago milliseconds since the cache was made and last used */
export function cache(image: string, ago: number, change: Partial<OwnCache> = {}): OwnCache {
  return ownCache(nameFor(image), NOW - ago, { id: `imc-${image}`, ...change });
}

/** @param namespaces with the number of pods of each */
export function missOf(
  image: string,
  ago: number,
  namespaces: Readonly<Record<string, number>> = { default: 1 },
): [string, Miss] {
  const miss: Miss = {
    desired: desired(image),
    missedAtMs: NOW - ago,
    pods: new Map(Object.entries(namespaces)),
    isAwaited: false,
    found: 'nothing',
    lastBy: {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: Object.keys(namespaces)[0] ?? '',
      name: image,
      uid: image,
    },
  };
  return [nameFor(image), miss];
}

/** @param misses images, and how long ago each was missed last, in milliseconds */
export function missed(misses: Readonly<Record<string, number>>): Map<string, Miss> {
  return new Map(Object.entries(misses).map(([image, ago]) => missOf(image, ago)));
}

export interface Setting {
  readonly own?: readonly OwnCache[];
  readonly misses?: ReadonlyMap<string, Miss>;
  readonly needed?: readonly string[];
  readonly recent?: Situation['recent'];
  readonly options?: Partial<PlanOptions>;
  readonly confirmedAtMs?: number;
  /** Names of ImageCaches that must wait, because a change of them was refused. */
  readonly blocked?: readonly string[];
  /** Names of caches that cost more than they save. */
  readonly tooDear?: readonly string[];
  /** Names of caches of which a tag has moved. */
  readonly moved?: readonly string[];
  readonly neededGib?: Situation['neededGib'] | undefined;
  readonly now?: number;
}

/** The plan for a situation in which each namespace is a tenant. */
export function planFor(setting: Setting): Plan {
  const { own = [], misses = new Map(), needed = [], recent = [], options, now = NOW } = setting;
  const usersOf = ({ users, madeFor }: OwnCache): readonly string[] => (users.length > 0 ? users : [madeFor]);
  const situation: Situation = {
    own,
    misses,
    needed: new Set(needed),
    usersOf,
    tenantOf: (namespace) => namespace,
    moved: ({ name }) => (setting.moved?.includes(name) === true ? ['a:1'] : []),
    neededGib: setting.neededGib ?? (() => 20),
    recent,
    confirmedAtMs: setting.confirmedAtMs ?? now,
    costsMore: ({ name }) => setting.tooDear?.includes(name) ?? false,
    isBlocked: (name) => setting.blocked?.includes(name) ?? false,
  };
  return plan(situation, { ...OPTIONS, ...options }, now);
}

const told = ({ cache: { id }, reason }: { cache: OwnCache; reason: string }): string => `${reason} ${id}`;

/** What a plan does, without what it leaves alone. */
export function summary(planned: Plan): Record<string, string[]> {
  const all = {
    marked: planned.marks.map(told),
    unmarked: planned.unmarks.map(({ id }) => id ?? ''),
    deleted: planned.deletions.map(told),
    merged: planned.merges.map(({ parts, sets }) => `${parts.length} parts, ${sets.length} sets`),
    created: planned.creations.map(({ miss, attempt }) => `${miss.desired.imageSet} ${attempt}`),
    refused: planned.refused.map(({ miss, code }) => `${code} ${miss.desired.imageSet}`),
  };
  return Object.fromEntries(Object.entries(all).filter(([, each]) => each.length > 0));
}

/** The caches after the first steps of a plan, in the order in which they are carried out. */
export function carryOut(own: readonly OwnCache[], planned: Plan, now: number, steps = Infinity): OwnCache[] {
  let state = [...own];
  const replace = (before: OwnCache, after: OwnCache | undefined): void => {
    state = state.flatMap((each) => (each.uid === before.uid ? (after ?? []) : each));
  };
  const changes = [
    ...planned.unmarks.map((each) => () => replace(each, { ...each, retiring: undefined })),
    ...planned.marks.map(
      ({ cache: each, reason }) =>
        () =>
          replace(each, { ...each, retiring: { reason, sinceMs: now } }),
    ),
    ...planned.deletions.map(
      ({ cache: each }) =>
        () =>
          replace(each, undefined),
    ),
    ...planned.creations.map(({ miss, name, attempt, firstAttemptAtMs, namespace }) => () => {
      const made = { id: undefined, phase: '', attempt, firstAttemptAtMs, madeFor: namespace };
      state = [...state, ownCache(nameOfAttempt(name, attempt), now, made)];
      void miss;
    }),
    ...planned.merges.map(({ name, desired: contents, sets }) => () => {
      state = [
        ...state,
        ownCache(name, now, { id: undefined, phase: '', contents, sets, sizeGib: 20, madeFor: PACKER }),
      ];
    }),
  ];
  for (const change of changes.slice(0, steps)) change();
  return state;
}
