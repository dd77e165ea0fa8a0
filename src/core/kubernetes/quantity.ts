/** Kubernetes quantities, of bytes (`50Gi`, `1.5e3`, `100M`) and of CPUs (`500m`). */

const QUANTITY = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d+))?$/;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL_EXPONENT: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
/** Kubernetes caps quantities at the largest int64, 2^63 - 1, which a double rounds to 2^63. */
const MAX_BYTES = 2 ** 63;
/** More digits than any sensible quantity, and few enough that exact arithmetic stays cheap on hostile input. */
const MAX_QUANTITY_LENGTH = 64;

export const GIB = 2 ** 30;

/**
 * Parses a Kubernetes quantity of bytes.
 * @returns whole bytes, rounded up as Kubernetes does; undefined if the text is no quantity or is negative
 */
export function parseBytes(text: string): number | undefined {
  return parseWhole(text, 0);
}

/** Parses a quantity of CPUs, `500m` or `2`. @returns whole thousandths, rounded up; undefined as with bytes */
export function parseMillis(text: string): number | undefined {
  return parseWhole(text, 3);
}

/** @param shift the power of ten that the quantity is multiplied with before it is rounded up */
function parseWhole(text: string, shift: number): number | undefined {
  if (text.length > MAX_QUANTITY_LENGTH) return undefined;
  const match = QUANTITY.exec(text);
  if (!match) return undefined;
  const [, sign, number = '', binary, decimal, exponentText] = match;
  const [whole = '', fraction = ''] = number.split('.');
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return 0;
  if (sign === '-') return undefined;

  const written = exponentText === undefined ? (DECIMAL_EXPONENT[decimal ?? ''] ?? 0) : Number(exponentText);
  const exponent = written - fraction.length + shift;
  // Outside these bounds the result is known without computing the power of ten, however large the exponent.
  if (exponent > 19) return MAX_BYTES;
  if (exponent < -MAX_QUANTITY_LENGTH - 19) return 1;
  const scaled = digits * 1024n ** BigInt(BINARY.indexOf(binary ?? ''));
  const value = exponent >= 0 ? scaled * 10n ** BigInt(exponent) : divideUp(scaled, 10n ** BigInt(-exponent));
  return Math.min(Number(value), MAX_BYTES);
}

function divideUp(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

/** Bytes as people write sizes of disks: `30Gi`, `1.5Gi`, `200Mi`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['Gi', GIB],
    ['Mi', 2 ** 20],
    ['Ki', 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${Math.round((bytes / size) * 100) / 100}${unit}`;
  }
  return `${bytes}`;
}
