/** The annotation of an ImageCache that is held back for its snapshot copies: how many it gets, and when ECI was asked. */
import { formatTime, parseTime } from '../kubernetes/time.ts';

/** More than any workload needs; what a user writes into the annotation is no more than this either. */
export const MOST_COPIES = 20;

export interface HeldCopies {
  /** How many snapshots the cache gets. */
  readonly count: number;
  /** When ECI was asked for them, in whole seconds, as milliseconds since 1970; undefined: not yet. */
  readonly askedAtMs: number | undefined;
}

/** The value of the annotation (COPIES): `3`, and once ECI was asked `3 2026-11-25T12:00:00Z`. */
export function describeCopies(count: number, askedAtMs?: number): string {
  return askedAtMs === undefined ? `${count}` : `${count} ${formatTime(askedAtMs)}`;
}

/** Anybody may edit the annotation: a senseless count is one. */
export function readCopies(text: string | undefined): HeldCopies | undefined {
  if (text === undefined) return undefined;
  const [count, askedAt] = text.split(' ');
  const number = Number(count);
  const isCount = Number.isInteger(number) && number > 0;
  return { count: isCount ? Math.min(number, MOST_COPIES) : 1, askedAtMs: parseTime(askedAt) };
}
