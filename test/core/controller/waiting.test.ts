/** When a pod that waits for its cache goes. */
import { describe, expect, it } from 'vitest';
import type { Lack } from '../../../src/core/controller/lacks.ts';
import type { OwnCache } from '../../../src/core/controller/own-cache.ts';
import type { Refused } from '../../../src/core/controller/plan.ts';
import { endedWaits, type WaitEnd } from '../../../src/core/controller/waiting.ts';
import { readWatchedPod, type WatchedPod } from '../../../src/core/controller/watched-pod.ts';
import { podObject } from '../../support/objects.ts';
import { cache, desired, missOf, nameFor, NOW } from '../../support/planning.ts';

const SECOND = 1000;
const POD: WatchedPod = {
  ...readWatchedPod(podObject()),
  createdAtMs: NOW - SECOND,
  waitsUntilMs: NOW + SECOND,
};
const LACK: Lack = {
  marker: 'x',
  found: 'nothing',
  desired: new Map([[nameFor('a'), desired('a')]]),
  isBeingMade: false,
};

interface Setting {
  readonly pod?: Partial<WatchedPod>;
  readonly lack?: Partial<Lack> | 'unknown';
  readonly own?: readonly OwnCache[];
  readonly refused?: readonly Refused[];
  readonly blocked?: string;
}

function endOf({ pod, lack, own = [], refused = [], blocked }: Setting): WaitEnd | undefined {
  const waiting = { pod: { ...POD, ...pod }, lack: lack === 'unknown' ? undefined : { ...LACK, ...lack } };
  const { ended } = endedWaits([waiting], own, { refused }, (name) => name === blocked, NOW);
  return ended[0]?.end;
}

describe('a pod waits', () => {
  it.each<[string, Setting]>([
    ['while its cache is being made', { lack: { isBeingMade: true, desired: new Map() } }],
    ['while its cache is about to be made', {}],
    ['while another image set is refused', { refused: [{ miss: missOf('b', 0)[1], code: 'Quota' }] }],
    ['while another cache has failed', { own: [cache('b', 0, { phase: 'Failed' })] }],
  ])('%s', (_title, setting) => {
    expect(endOf(setting)).toBeUndefined();
  });
});

describe('a pod goes', () => {
  it.each<[WaitEnd, string, Setting]>([
    ['Ready', 'once a cache is there', { lack: { marker: undefined, desired: new Map() } }],
    [
      'Ready',
      'once a cache is there, also if its time is up',
      { pod: { waitsUntilMs: NOW }, lack: { marker: undefined } },
    ],
    ['TimeIsUp', 'when its time is up', { pod: { waitsUntilMs: NOW }, lack: { isBeingMade: true } }],
    ['Refused', 'if its cache is refused', { refused: [{ miss: missOf('a', 0)[1], code: 'TenantRate' }] }],
    ['Failed', 'if its cache fails', { own: [cache('a', 0, { phase: 'Failed' })] }],
    ['Failed', 'if the API server refuses its cache', { blocked: nameFor('a') }],
    ['NotMade', 'if no cache is made for it', { lack: { desired: new Map() } }],
    ['NotMade', 'if it is too large to be looked at', { lack: 'unknown' }],
  ])('%s: %s', (end, _title, setting) => {
    expect(endOf(setting)).toBe(end);
  });

  it('the oldest first, and the next one in time', () => {
    const waiting = [3, 1, 2].map((ago) => ({
      pod: { ...POD, createdAtMs: NOW - ago, waitsUntilMs: NOW },
      lack: LACK,
    }));
    const later = { pod: { ...POD, waitsUntilMs: NOW + 5 }, lack: LACK };
    const { ended, reconcileAgainAtMs } = endedWaits(
      [...waiting, later],
      [],
      { refused: [] },
      () => false,
      NOW,
    );
    expect(ended.map(({ pod }) => NOW - pod.createdAtMs)).toEqual([3, 2, 1]);
    expect(reconcileAgainAtMs).toBe(NOW + 5);
  });
});
