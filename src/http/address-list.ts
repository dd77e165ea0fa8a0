/** Looks addresses up in a list of IP addresses and ranges: `10.0.0.1`, `10.0.0.0/28`, `fd00::/64`. */
import { BlockList, isIP, isIPv4 } from 'node:net';

/** IPv4 addresses as a socket that listens for both versions writes them. */
const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

export class AddressList {
  readonly isEmpty: boolean;
  readonly #known = new BlockList();

  /** @param list addresses and ranges (the configuration has checked them) */
  constructor(list: readonly string[]) {
    this.isEmpty = list.length === 0;
    for (const each of list) {
      const [address = '', length] = each.split('/');
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      if (length === undefined) this.#known.addAddress(address, family);
      else this.#known.addSubnet(address, Number(length), family);
    }
  }

  has(address: string): boolean {
    const plain = address.replace(MAPPED, '');
    return isIP(plain) !== 0 && this.#known.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
  }
}
