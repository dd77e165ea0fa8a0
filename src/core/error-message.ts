/** Owns the words of something caught: in TypeScript anything may be thrown. */
export function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}
