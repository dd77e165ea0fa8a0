/**
 * Random numbers that follow from a seed and a text alone, so that a replay gives the same figures each time, whatever else
 * it draws.
 */
import { sha256Hex } from '../core/image/sha256.ts';

/** Hexadecimal digits of a hash that fit into a number exactly: 52 bits. */
const DIGITS = 13;

/** Uniform from 0 to below 1. */
export function uniform(seed: number, what: string): number {
  return Number.parseInt(sha256Hex(`${seed} ${what}`).slice(0, DIGITS), 16) / 16 ** DIGITS;
}

/** With mean 0 and standard deviation 1 (Box and Muller's method). */
export function normal(seed: number, what: string): number {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, `${what} radius`)));
  return radius * Math.cos(2 * Math.PI * uniform(seed, `${what} angle`));
}

/** @param spread the standard deviation of the logarithm */
export function logNormal(seed: number, what: string, median: number, spread: number): number {
  return median * Math.exp(spread * normal(seed, what));
}

/** The spread of a log-normal distribution from its median and its 90th percentile. */
export function spreadFrom(median: number, ninetieth: number): number {
  const NINETIETH_OF_NORMAL = 1.281_55;
  return Math.log(ninetieth / median) / NINETIETH_OF_NORMAL;
}
