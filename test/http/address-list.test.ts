/** Which addresses a list of addresses and ranges holds. */
import { describe, expect, it } from 'vitest';
import { AddressList } from '../../src/http/address-list.ts';
import { ADDRESSES } from '../../src/config/value-type.ts';

it.each([
  ['10.0.0.1', true],
  ['::ffff:10.0.0.1', true],
  ['10.0.0.2', false],
  ['192.168.1.77', true],
  ['::ffff:192.168.1.77', true],
  ['192.168.2.1', false],
  ['fd00::5', true],
  ['fd01::5', false],
  ['', false],
  ['no address', false],
])('%j in the list: %s', (address, expected) => {
  expect(new AddressList(['10.0.0.1', '192.168.1.0/24', 'fd00::/64']).has(address)).toBe(expected);
});

it('an empty list holds no address', () => {
  const list = new AddressList([]);
  expect([list.isEmpty, list.has('127.0.0.1')]).toEqual([true, false]);
});

describe('the configuration takes', () => {
  it('addresses and ranges, also as one text', () => {
    expect(ADDRESSES.parse('10.0.0.1, fd00::/64')).toEqual(['10.0.0.1', 'fd00::/64']);
    expect(ADDRESSES.parse('')).toEqual([]);
  });
  it.each(['10.0.0.1/33', 'fd00::/129', '10.0.0', 'localhost', '10.0.0.0/8/8', '10.0.0.0/'])(
    'nothing like %s',
    (text) => expect(ADDRESSES.parse([text])).toBeUndefined(),
  );
});
