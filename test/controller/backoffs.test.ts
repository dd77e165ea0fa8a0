/** How long the controller leaves an object alone that the API server refused. */
import { expect, it } from 'vitest';
import { Backoffs } from '../../src/controller/backoffs.ts';

it('waits twice as long after each refusal in a row, up to five minutes, and reports the first', () => {
  const backoffs = new Backoffs();
  let now = 0;
  const waits = Array.from({ length: 9 }, () => {
    const isFirst = backoffs.failed('a', now);
    const began = now;
    now = backoffs.nextAtMs(now);
    expect(backoffs.isWaiting('a', now - 1)).toBe(true);
    expect(backoffs.isWaiting('a', now)).toBe(false);
    return [isFirst, (now - began) / 1000];
  });
  expect(waits.map(([, wait]) => wait)).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  expect(waits.map(([isFirst]) => isFirst).filter(Boolean)).toHaveLength(1);
});

it('begins anew after a success, and knows each name alone', () => {
  const backoffs = new Backoffs();
  backoffs.failed('a', 0);
  expect(backoffs.isWaiting('b', 0)).toBe(false);
  backoffs.succeeded('a');
  expect(backoffs.isWaiting('a', 0)).toBe(false);
  expect(backoffs.failed('a', 0)).toBe(true);
  expect(backoffs.nextAtMs(0)).toBe(5000);
});

it('remembers a limited number of names, the latest', () => {
  const backoffs = new Backoffs();
  for (let i = 0; i < 20_000; i++) backoffs.failed(`n${i}`, 0);
  expect(backoffs.isWaiting('n0', 0)).toBe(false);
  expect(backoffs.isWaiting('n19999', 0)).toBe(true);
});
