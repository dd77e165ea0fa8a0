/** The statistics of a trace that are published of the vendor's clusters. */
import type { Trace } from '../../src/replay/trace.ts';

export interface TraceStatistics {
  readonly pods: number;
  readonly keys: number;
  /** The share of pods of the tenth of the keys that make most. */
  readonly ofTopTenth: number;
  /** The share of pods that come in the same second as another of their key. */
  readonly inBursts: number;
  /** Seconds between two pods of one key. */
  readonly gap: { readonly median: number; readonly ninetieth: number };
  /** Hours, of the pods that ended. */
  readonly life: { readonly tenth: number; readonly median: number; readonly ninetieth: number };
}

export function statisticsOf({ pods }: Trace): TraceStatistics {
  const byKey = [...Map.groupBy(pods, ({ key }) => key).values()].toSorted((a, b) => b.length - a.length);
  const top = byKey.slice(0, Math.round(byKey.length / 10)).flat().length;
  const bursts = Map.groupBy(pods, ({ key, created }) => `${key} ${created}`).values();
  const gaps = byKey.flatMap((ofKey) => ofKey.slice(1).map(({ created }, i) => created - ofKey[i]!.created));
  const lives = pods.flatMap(({ created, deleted }) =>
    deleted === undefined ? [] : (deleted - created) / 3600,
  );
  return {
    pods: pods.length,
    keys: byKey.length,
    ofTopTenth: top / pods.length,
    inBursts: [...bursts].filter(({ length }) => length > 1).flat().length / pods.length,
    gap: { median: quantile(gaps, 0.5), ninetieth: quantile(gaps, 0.9) },
    life: { tenth: quantile(lives, 0.1), median: quantile(lives, 0.5), ninetieth: quantile(lives, 0.9) },
  };
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
}
