/** Cuts a text into chunks, as a network may. */

/** @param cuts offsets in bytes, also within a character; an offset beyond the end begins again at 0 */
export async function* inChunks(text: string, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  const at = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
  let from = 0;
  for (const to of [...at, bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
  }
}
