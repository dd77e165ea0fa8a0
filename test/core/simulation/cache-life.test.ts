/** How the simulated ECI moves an ImageCache from phase to phase. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextState, type LifeOptions } from '../../../src/core/simulation/cache-life.ts';
import type { Json } from '../../support/objects.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const OPTIONS: LifeOptions = { creationTime: 100_000, failing: ['broken'] };

function cache(images: readonly string[] = ['a:1'], annotations: Json = {}, spec: Json = {}): Json {
  return { metadata: { name: 'c', uid: 'u', annotations }, spec: { images, ...spec } };
}

/** Polls at these seconds after the first poll. @returns each status that is then written: `phase progress` */
function live(object: Json, seconds: readonly number[]): { seen: string[]; object: Json } {
  const seen: string[] = [];
  let current = object;
  for (const second of seconds) {
    const next = nextState(current, OPTIONS, NOW + second * 1000);
    if (!next) seen.push('-');
    else if (next.kind === 'expired') seen.push('expired');
    else {
      seen.push(`${next.phase} ${next.progress}`);
      current = { ...current, status: next.status };
    }
  }
  return { seen, object: current };
}

describe('an ImageCache', () => {
  it('goes through Preparing and Creating to Ready, with an event for each phase', () => {
    const { seen, object } = live(cache(), [0, 5, 10, 15, 55, 99, 100, 1000]);
    expect(seen).toEqual([
      'Preparing 0%',
      '-',
      'Creating 10%',
      '-',
      'Creating 50%',
      'Creating 90%',
      'Ready 100%',
      '-',
    ]);
    expect(object['status']).toMatchObject({
      imageCacheId: expect.stringMatching(/^imc-[0-9a-f]{20}$/) as string,
      startTime: '2026-11-21T12:00:00Z',
      lastUpdatedTime: '2026-11-21T12:01:40Z',
      events: [{ reason: 'Preparing' }, { reason: 'Creating' }, { reason: 'Ready', type: 'Normal' }],
    });
    expect(object['status']).not.toHaveProperty('expireDateTime');
  });

  it('becomes Ready in half the time with reuse, and in a tenth of the time as an instant cache', () => {
    for (const name of ['imc-enable-reuse', 'eci-image-cache']) {
      const { seen } = live(cache(['a'], { [`k8s.aliyun.com/${name}`]: 'true' }), [0, 49, 50]);
      expect(seen.slice(1)).toEqual(['Creating 90%', 'Ready 100%']);
    }
    expect(live(cache(['a'], { 'k8s.aliyun.com/imc-enable-flash': 'true' }), [0, 9, 10]).seen).toEqual([
      'Preparing 0%',
      'Creating 90%',
      'Ready 100%',
    ]);
  });

  it.each<[Json, Json, string]>([
    [{}, { retentionDays: 3 }, '2026-11-24T12:01:40Z'],
    [{ 'k8s.aliyun.com/imc-retention-days': '2' }, {}, '2026-11-23T12:01:40Z'],
    [{ 'k8s.aliyun.com/imc-retention-days': '2' }, { retentionDays: 3 }, '2026-11-23T12:01:40Z'],
  ])('with annotations %j and spec %j expires at %s', (annotations, spec, expireDateTime) => {
    const { object } = live(cache(['a'], annotations, spec), [0, 100]);
    expect(object['status']).toMatchObject({ phase: 'Ready', expireDateTime });
  });

  it('keeps the fifty newest events by their time, in whatever order ECI wrote them', () => {
    const at = (minute: number): string => new Date(NOW - minute * 60_000).toISOString();
    const events = Array.from({ length: 60 }, (_, i) => ({ reason: `minute ${i}`, lastTimestamp: at(i) }));
    const { object } = live({ ...cache(), status: { events: [...events, { reason: 'no time' }] } }, [0]);
    const kept = (object['status'] as { events: { reason: string }[] }).events.map(({ reason }) => reason);
    expect(kept).toHaveLength(50);
    expect(kept.slice(-2)).toEqual(['minute 0', 'Preparing']);
    expect(kept[0]).toBe('minute 48');
  });

  it('with an image that must fail becomes Failed, and expires a day later', () => {
    const { seen, object } = live(cache(['a', 'broken:1']), [0, 49, 50, 86_449, 86_450]);
    expect(seen).toEqual(['Preparing 0%', 'Creating 40%', 'Failed 0%', '-', 'expired']);
    expect(object['status']).toMatchObject({
      events: [{}, {}, { type: 'Warning', message: 'image broken:1 cannot be pulled' }],
    });
  });

  it('with retentionDays expires that many days after it became Ready', () => {
    const day = 86_400;
    const { seen } = live(cache(['a'], {}, { retentionDays: 2 }), [0, 100, 100 + 2 * day - 1, 100 + 2 * day]);
    expect(seen).toEqual(['Preparing 0%', 'Ready 100%', '-', 'expired']);
  });

  it('ends in the same state and never goes back, however often it is polled', () => {
    const rank = (state: string): number =>
      state === 'Ready 100%' ? 200 : state.startsWith('Creating') ? Number.parseInt(state.slice(9), 10) : 0;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 30 }), (seconds) => {
        const { seen, object } = live(
          cache(),
          [0, ...seconds.toSorted((a, b) => a - b), 100, 150].toSorted((a, b) => a - b),
        );
        const ranks = seen.filter((state) => state !== '-').map(rank);
        expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
        expect(object['status']).toMatchObject({ phase: 'Ready', progress: '100%' });
      }),
    );
  });
});
