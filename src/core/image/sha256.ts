/**
 * SHA-256 (FIPS 180-4) of short ASCII texts. The folder core imports no module from outside, not even node:crypto; a
 * test compares this implementation with node:crypto.
 */

import { memoize } from '../memoize.ts';

const ROUND_CONSTANTS = fractionalBits(64, Math.cbrt);
const INITIAL_STATE = fractionalBits(8, Math.sqrt);

/** The first 32 bits of the fractional parts of roots of the first primes, as the standard defines the constants. */
function fractionalBits(count: number, root: (prime: number) => number): Int32Array {
  const words = new Int32Array(count);
  for (let candidate = 2, found = 0; found < count; candidate++) {
    if (isPrime(candidate)) words[found++] = Math.floor((root(candidate) % 1) * 2 ** 32);
  }
  return words;
}

function isPrime(candidate: number): boolean {
  for (let divisor = 2; divisor * divisor <= candidate; divisor++)
    if (candidate % divisor === 0) return false;
  return true;
}

/** @returns 64 lower-case hexadecimal digits; only the low byte of each character counts, so use it for ASCII only */
export function sha256Hex(text: string): string {
  const words = padded(text);
  const state = Int32Array.from(INITIAL_STATE);
  const schedule = new Int32Array(64);
  for (let block = 0; block < words.length; block += 16) {
    schedule.set(words.subarray(block, block + 16));
    compress(state, schedule);
  }
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Characters of texts that are remembered; one of ten images has some hundreds. */
const MOST_REMEMBERED = 2000;
const remembered = memoize(1000, (text) => sha256Hex(text).slice(0, 32));

/** The first 32 digits of the hash. Those of short texts are remembered, because they come again and again. */
export function shortHash(text: string): string {
  return text.length <= MOST_REMEMBERED ? remembered(text) : sha256Hex(text).slice(0, 32);
}

/** The message as big-endian words, then a 1 bit, zeros, and the message's length in bits: whole blocks of 16 words. */
function padded(text: string): Int32Array {
  const words = new Int32Array((((text.length + 8) >> 6) << 4) + 16);
  for (let i = 0; i < text.length; i++) words[i >> 2]! |= (text.charCodeAt(i) & 0xff) << (24 - (i & 3) * 8);
  words[text.length >> 2]! |= 0x80 << (24 - (text.length & 3) * 8);
  words[words.length - 1] = text.length * 8;
  return words;
}

function compress(state: Int32Array, w: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const a = w[i - 15]!;
    const b = w[i - 2]!;
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
    w[i] = w[i - 16]! + s0 + w[i - 7]! + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const choice = (e & f) ^ (~e & g);
    const t1 = (h + s1 + choice + ROUND_CONSTANTS[i]! + w[i]!) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + s0 + majority) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i]! += word));
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}
