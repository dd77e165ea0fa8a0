/** Formats what was decided for pods that exist, and what ECI did with them. */
import type { PodRecord } from '../core/truth/pod-record.ts';
import { alignColumns, formatAge } from './columns.ts';

/** Rows; `-o wide` and the others have all. */
const MOST_ROWS = 20;

/** @param pods the newest first @param now milliseconds since 1970 */
export function formatPods(pods: readonly PodRecord[], isWide: boolean, now: number): string {
  if (pods.length === 0) return '  no pods now\n\n';
  const shown = isWide ? pods : pods.slice(0, MOST_ROWS);
  const header = ['POD', 'AGE', 'PHASE', 'DECIDED', 'CACHE', 'ECI USED', 'PREDICTION'];
  const rows = shown.map(({ name, createdAt, phase, decided, why, written, isPlaced, used, result }) => [
    name,
    createdAt === null ? '-' : formatAge(now - Date.parse(createdAt)),
    phase === '' ? '-' : phase,
    decided,
    written ?? '-',
    isPlaced ? (used ?? 'none') : 'not yet',
    result ?? '-',
    ...(isWide ? [why] : []),
  ]);
  const lines = alignColumns([[...header, ...(isWide ? ['WHY'] : [])], ...rows]);
  const more = pods.length > shown.length ? [`… and ${pods.length - shown.length} more`] : [];
  return `${[...lines, ...more].map((line) => `  ${line}`).join('\n')}\n\n`;
}
