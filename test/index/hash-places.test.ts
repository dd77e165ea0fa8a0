import { expect, it } from 'vitest';
import { HashPlaces } from '../../src/index/hash-places.ts';

it('an entry that is not noted with a hash cannot be deleted, and nothing else is', () => {
  const places = new HashPlaces();
  places.add(1, 7);
  expect(() => places.delete(1, 8)).toThrow('HashPlaces.delete: entry 8 is not noted with the hash 1');
  expect(() => places.delete(2, 7)).toThrow('HashPlaces.delete: entry 7 is not noted with the hash 2');
  expect(places.size).toBe(1);
  expect(places.entryAt(places.firstOf(1))).toBe(7);
});
