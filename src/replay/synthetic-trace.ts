/**
 * Makes a trace by seed with the statistics that are published of the vendor's own clusters (docs/warm-starts.md, "The
 * synthetic trace"): few templates make most pods, pods come in bursts, and most pods live for minutes or days.
 */
import { DEFAULT_SIZE } from '../core/kubernetes/pod-requests.ts';
import { logNormal, spreadFrom, uniform } from './random.ts';
import { traceOf, type Trace, type TracePod } from './trace.ts';

export interface SyntheticOptions {
  readonly pods: number;
  readonly templates: number;
  readonly days: number;
}

export const DEFAULT_SYNTHETIC: SyntheticOptions = { pods: 16_591, templates: 283, days: 31 };

/** How much fewer pods the template of the next rank makes. */
const ZIPF_EXPONENT = 0.94;
/** The share of bursts that are more than one pod, and how likely each further pod is then. */
const BURST = { share: 0.12, more: 0.65 };
/** Of the gaps between the bursts of one template, relative to each other. */
const GAP_SPREAD = 2;
/** Hours. Of the pods that end within the trace, half live for 2.3 h and nine in ten for 80 h. */
const LIFE = { median: 3.8, ninetieth: 320 };
const SECONDS = { hour: 3600, day: 86_400 };

export function syntheticTrace(seed: number, { pods, templates, days }: SyntheticOptions): Trace {
  const weights = Array.from({ length: templates }, (_, i) => (i + 1) ** -ZIPF_EXPONENT);
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  const made = weights.flatMap((weight, i) =>
    podsOf(seed, `template-${i + 1}`, Math.max(Math.round((pods * weight) / all), 1), days * SECONDS.day),
  );
  return traceOf(made);
}

function podsOf(seed: number, key: string, count: number, end: number): TracePod[] {
  const bursts = burstsOf(seed, key, count);
  // One gap more than bursts: the time after the last burst.
  const gaps = Array.from({ length: bursts.length + 1 }, (_, i) =>
    logNormal(seed, `${key} gap ${i}`, 1, GAP_SPREAD),
  );
  const total = gaps.reduce((sum, gap) => sum + gap, 0);
  let at = 0;
  return bursts.flatMap((size, burst) => {
    at += ((gaps[burst] ?? 0) / total) * end;
    return Array.from({ length: size }, (_, i) => podAt(seed, key, Math.floor(at), `${burst} ${i}`, end));
  });
}

/** The sizes of the bursts, which are `count` pods together. */
function burstsOf(seed: number, key: string, count: number): number[] {
  const bursts: number[] = [];
  let left = count;
  while (left > 0) {
    const chance = uniform(seed, `${key} burst ${bursts.length}`);
    // The rest of the chance decides about the size.
    const size =
      chance >= BURST.share ? 1 : 2 + Math.floor(Math.log(1 - chance / BURST.share) / Math.log(BURST.more));
    bursts.push(Math.min(size, left));
    left -= size;
  }
  return bursts;
}

function podAt(seed: number, key: string, created: number, which: string, end: number): TracePod {
  const spread = spreadFrom(LIFE.median, LIFE.ninetieth);
  const life = logNormal(seed, `${key} life ${which}`, LIFE.median * SECONDS.hour, spread);
  const deleted = created + Math.max(Math.round(life), 1);
  return {
    key,
    namespace: 'default',
    created,
    deleted: deleted > end ? undefined : deleted,
    ...DEFAULT_SIZE,
    images: undefined,
  };
}
