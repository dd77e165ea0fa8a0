/** When a caBundle that somebody else changes is restored, and when that is a problem. */
import { describe, expect, it } from 'vitest';
import { TrustContest } from '../../src/tls/trust-contest.ts';

/** Restores whenever it may, as if somebody undid it at once, for some seconds. @returns when, in seconds */
function fight(contest: TrustContest, seconds: number): number[] {
  const at: number[] = [];
  for (let now = 0; now < seconds * 1000; now += 1000) {
    if (!contest.mayRestore(now)) continue;
    contest.restored(now);
    at.push(now / 1000);
  }
  return at;
}

describe('somebody who changes the caBundle', () => {
  it('once is no problem, and it is restored at once', () => {
    const contest = new TrustContest();
    expect(contest.mayRestore(0)).toBe(true);
    contest.restored(0);
    expect(contest.problem(0)).toBeUndefined();
    expect(contest.mayRestore(1000)).toBe(true);
  });

  it('again and again is answered less and less often, once a minute at last', () => {
    const at = fight(new TrustContest(), 600);
    expect(at.slice(0, 7)).toEqual([0, 1, 2, 4, 8, 16, 32]);
    expect(at.filter((second) => second < 20)).toHaveLength(6);
    expect(at.at(-1)! - at.at(-2)!).toBe(60);
  });

  it('three times within ten minutes is a problem, until ten minutes have passed', () => {
    const contest = new TrustContest();
    for (const now of [0, 60_000]) contest.restored(now);
    expect(contest.problem(60_000)).toBeUndefined();
    contest.restored(120_000);
    expect(contest.problem(120_000)).toContain('must ignore webhooks[].clientConfig.caBundle');
    expect(contest.problem(600_000)).toBeUndefined();
  });
});
