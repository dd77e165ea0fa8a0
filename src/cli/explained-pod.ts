/** The explanation of a pod as data: the decision, the candidates, and what is known of caches that the decision leaves alone. */
import type { Config } from '../config/config.ts';
import type { Decision } from '../core/decision/decide.ts';
import { explanationOf, type Explanation } from '../core/decision/explanation.ts';
import { surveyCandidates } from '../core/decision/match/matcher.ts';
import type { View } from '../core/decision/view.ts';
import { READY, describePhase, type KnownFrom } from '../core/image-cache.ts';
import { parseImageReference } from '../core/image/reference.ts';
import type { LearnedCache } from '../core/truth/survey.ts';
import type { WorkloadPod } from '../core/workload/pods.ts';
import { decideOffline, type Operation } from '../runtime/offline.ts';

/** How many usable candidates, and how many unusable ones, to show at most. */
const SURVEYED = 20;
/** Caches that pods alone show, at most. */
const MOST_LEARNED = 5;

/** The explanation of one pod, and the workload that the pod comes from; `-o json` prints one object per line. */
export interface PodExplanation extends Explanation {
  /** What the region knows of the cache that the pod pins; null if it pins none, or nothing is known. */
  readonly pinned: ExplainedPin | null;
  /** A cache that ECI's own matching would find, and that holds all images where the chosen one does not; its ID. */
  readonly completeInRegion: string | null;
  /** Caches that pods of the same namespace were given and that share an image with this pod, known in no other way. */
  readonly knownFromPods: readonly LearnedCache[];
  readonly workload: string;
  readonly namespace: string;
  readonly patch: readonly Operation[];
}

export interface ExplainedPin {
  readonly id: string;
  readonly phase: string;
  readonly knownFrom: KnownFrom;
  readonly images: readonly string[];
}

export function explainPod(
  { title, pod }: WorkloadPod,
  namespace: string,
  view: View,
  learned: readonly LearnedCache[],
  config: Config,
  now: number,
): PodExplanation {
  const { decision, patch } = decideOffline(pod, namespace, view, config, now);
  const survey = decision.match && surveyCandidates(decision.match, view, SURVEYED);
  const explanation = explanationOf(decision, survey);
  return {
    workload: title,
    namespace,
    ...explanation,
    pinned: pinnedIn(decision, view),
    completeInRegion: completeInRegion(explanation),
    knownFromPods: sharing(explanation.images, learned, view),
    patch,
  };
}

function pinnedIn({ request }: Decision, view: View): ExplainedPin | null {
  const id = request?.pin;
  const cache = id === undefined ? undefined : view.cacheById(id);
  if (!cache || id === undefined) return null;
  const { knownFrom, images } = cache;
  return { id, phase: describePhase(cache), knownFrom, images: images.map(({ key }) => key) };
}

/** The ID of a cache that the API alone knows, that holds all images, and that the decision leaves alone. */
function completeInRegion({ outcome, images, candidates }: Explanation): string | null {
  if (outcome !== 'partial' && outcome !== 'miss') return null;
  const complete = candidates.find(
    ({ knownFrom, phase, degree }) =>
      knownFrom === 'api' && phase === READY && degree.exact === images.length,
  );
  return complete?.id ?? null;
}

/** The learned caches that hold one of the images, and that the index does not know. */
function sharing(images: readonly string[], learned: readonly LearnedCache[], view: View): LearnedCache[] {
  const wanted = new Set(images);
  return learned
    .filter(({ id, images: held }) => {
      const holds = held.some((image) => wanted.has(parseImageReference(image)?.key ?? ''));
      return holds && view.cacheById(id) === undefined;
    })
    .slice(0, MOST_LEARNED);
}
