/** Limits admission warnings: at most 6, at most 256 characters each, and valid in an HTTP header. */

/** Characters. */
export const MAX_WARNING_LENGTH = 256;
const MAX_WARNINGS = 6;

export function limitWarnings(warnings: readonly string[]): string[] {
  const distinct = [...new Set(warnings.map(fit))];
  if (distinct.length <= MAX_WARNINGS) return distinct;
  const kept = distinct.slice(0, MAX_WARNINGS - 1);
  return [...kept, `and ${distinct.length - kept.length} more warnings of imagecache-webhook`];
}

/** Replaces control characters by spaces, because the API server drops a warning that has any, and shortens it. */
function fit(warning: string): string {
  // oxlint-disable-next-line no-control-regex -- the pattern looks for control characters
  const printable = warning.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').toWellFormed();
  return printable.length <= MAX_WARNING_LENGTH
    ? printable
    : `${printable.slice(0, MAX_WARNING_LENGTH - 3).toWellFormed()}...`;
}
