/** What the configuration means for the controller; `imc replay` plays the same controller. */
import type { Config } from '../config/config.ts';
import type { ReconcilerOptions } from '../controller/reconciler.ts';
import { DAY } from '../core/kubernetes/time.ts';

/** Milliseconds that an accepted pod may take until the API server's watches have it. */
const ARRIVAL = 2000;
const LONGEST_REST = 60_000;

export function reconcilerOptions(config: Config): ReconcilerOptions {
  const { idleDays, retentionDays, webhookTimeoutMs, maxSize, exceptNamespaces } = config.controller;
  return {
    ...config.controller,
    // What is only said changes nothing in the region either.
    snapshotCopies: config.controller.snapshotCopies && !config.controller.dryRun,
    missesBefore: config.createOnMiss.after,
    idleAfter: idleDays * DAY,
    retireWait: config.maxStalenessMs + webhookTimeoutMs + ARRIVAL,
    retentionDays: retentionDays === 0 ? undefined : retentionDays,
    decision: config,
    longestRest: LONGEST_REST,
    misses: {
      decision: config,
      publicRegistries: config.sharing.publicRegistries,
      privateImages: config.controller.privateImages,
      maxSizeGib: maxSize,
      exceptNamespaces: new Set(exceptNamespaces),
    },
    prewarm: config.prewarm
      ? { unlabelled: config.prewarmNamespaces === 'all', except: new Set(config.prewarmExcept) }
      : undefined,
  };
}
