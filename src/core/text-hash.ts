/** Owns the hash of texts, for places in tables: quick, the same for the same text, and of no use against an attacker. */

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * FNV-1a, of long texts over some of their letters.
 * @param hash of what came before
 * @returns 32 bits, signed
 */
export function hashText(text: string, hash = OFFSET): number {
  let hashed = hash;
  const step = 1 + (text.length >> 6);
  for (let i = 0; i < text.length; i += step) hashed = Math.imul(hashed ^ text.charCodeAt(i), PRIME);
  return hashed;
}
