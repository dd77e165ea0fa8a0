/** Times as Kubernetes writes them; our own code counts milliseconds since 1970. */

export const DAY = 86_400_000;

/** Whole seconds: `2026-01-31T12:00:00Z`. */
export function formatTime(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Milliseconds since 1970; undefined if the text is no time. For annotations, which anybody may edit. */
export function parseTime(text: unknown): number | undefined {
  const time = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
