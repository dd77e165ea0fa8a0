/** Times as Kubernetes writes them; our own code counts milliseconds since 1970. */

export const DAY = 86_400_000;

/** Whole seconds: `2026-01-31T12:00:00Z`. */
export function formatTime(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** `2026-01-31` */
export function formatDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `10m`, `90s` or `1h30m`; undefined if the text is no such duration. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:ms|s|m|h))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+)(ms|s|m|h)/g);
  return parts.reduce(
    (sum, [, count = '', unit = '']) => sum + Number(count) * (DURATION_UNITS[unit] ?? 0),
    0,
  );
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const;

/** To two digits, in the largest unit that fits: `40 s`, `3.5 h`. */
export function formatSeconds(seconds: number): string {
  const [unit, size] = UNITS.find(([, each]) => seconds >= each) ?? (['s', 1] as const);
  return `${Number((seconds / size).toPrecision(2))} ${unit}`;
}

/** Milliseconds since 1970; undefined if the text is no time. For annotations, which anybody may edit. */
export function parseTime(text: unknown): number | undefined {
  const time = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
