/** Owns times as Kubernetes writes them. In here they are milliseconds since 1970. */

export const DAY = 86_400_000;

/** To whole seconds: `2026-01-31T12:00:00Z`. */
export function formatTime(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Undefined where it is none: for what anybody may have edited, and what is as good as absent where it makes no sense. */
export function parseTime(text: unknown): number | undefined {
  const time = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
