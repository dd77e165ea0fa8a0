/** Which creations count within the hour. */
import { expect, it } from 'vitest';
import { CreationLog } from '../../src/controller/creation-log.ts';
import { cache, HOUR, MINUTE, NOW } from '../support/planning.ts';

const same = (namespace: string): string => namespace;

it('each creation counts, also of a name that was made before and has gone', () => {
  const log = new CreationLog();
  for (let i = 0; i < 5; i++) log.created('auto-x', 'team', NOW - i * MINUTE);
  expect(log.recent([], same, NOW)).toHaveLength(5);
  expect(log.recent([], same, NOW + HOUR - MINUTE)).toHaveLength(1);
  expect(log.recent([], same, NOW + HOUR)).toHaveLength(0);
});

it('an ImageCache of an earlier leader counts, and one of this leader counts once', () => {
  const log = new CreationLog();
  const [own, earlier] = [cache('a', 5 * MINUTE), cache('b', 10 * MINUTE, { madeFor: 'other' })];
  // The clock of the API server differs by some seconds.
  log.created(own.name, 'team', own.createdAtMs + 7000);
  expect(log.recent([own, earlier, cache('c', 2 * HOUR)], same, NOW)).toEqual([
    { tenant: 'team', atMs: own.createdAtMs + 7000 },
    { tenant: 'other', atMs: earlier.createdAtMs },
  ]);
});
