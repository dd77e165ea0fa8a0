/** Formats tables and their cells for people, as kubectl does. */
import { describePhase, type ImageCache } from '../core/image-cache.ts';

/** Makes each column as wide as its widest cell; the last column is not padded. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => row[i]?.length ?? 0)),
  );
  return rows.map((row) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '),
  );
}

/** Per cent: `67 %`; `-` of nothing. */
export function share(part: number, all: number): string {
  return all === 0 ? '-' : `${((part / all) * 100).toFixed(0)} %`;
}

/** The largest unit that fits, as kubectl prints ages: `45s`, `12m`, `20h`, `3d`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** @param cache apiPhase: what ECI's API says; null if it is not asked */
export function formatPhase(
  cache: Pick<ImageCache, 'phase' | 'progress'> & { readonly apiPhase: string | null },
): string {
  const { phase, apiPhase } = cache;
  const ofObject = phase === '' ? '-' : describePhase(cache);
  return apiPhase === null || apiPhase === phase ? ofObject : `${ofObject} (region: ${apiPhase})`;
}
