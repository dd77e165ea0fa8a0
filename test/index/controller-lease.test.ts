/** Whether a controller leads, as far as its Lease tells. */
import { beforeEach, expect, it } from 'vitest';
import { ControllerLease } from '../../src/index/controller-lease.ts';

let lease: ControllerLease;
beforeEach(() => (lease = new ControllerLease()));

it('is not known before the Lease was seen to be renewed: the first state may be an old one', () => {
  expect(lease.isFresh(0)).toBe(false);
  lease.note('1', 'a', 15_000, 1000);
  lease.note('1', 'a', 15_000, 2000);
  expect(lease.isFresh(2000)).toBe(false);
  lease.note('2', 'a', 15_000, 3000);
  expect(lease.isFresh(3000)).toBe(true);
});

it('ends when the Lease is not renewed for as long as it is valid, is given back, or is deleted', () => {
  const renew = (version: string, holder = 'a'): void => lease.note(version, holder, 15_000, 1000);
  renew('1');
  renew('2');
  expect([lease.isFresh(15_999), lease.isFresh(16_000)]).toEqual([true, false]);
  renew('3', '');
  expect(lease.isFresh(1000)).toBe(false);
  renew('4');
  expect(lease.isFresh(1000)).toBe(true);
  lease.forget();
  expect(lease.isFresh(1000)).toBe(false);
});

it('is known to the controller itself', () => {
  lease.assume();
  expect(lease.isFresh(Infinity)).toBe(true);
});
