/** Asks ECI's own matcher about pods, and compares its answers with the decisions. */
import { SYSTEM_CLOCK } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { Decision } from '../core/decision/decide.ts';
import { verify, whyNotAsked, type EciAnswer, type Verification } from '../core/decision/verification.ts';
import { readText, type JsonObject } from '../core/kubernetes/json.ts';
import { podsOf, type WorkloadPod } from '../core/workload/pods.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';
import type { MatchQuestion, RegionApi } from '../sources/region/region-api.ts';
import { RegionApiError } from '../sources/region/region-error.ts';
import { readHistory } from './connect.ts';
import { decideOffline, loadIndex } from './offline.ts';
import { connectApi } from './region.ts';

/** The pods that are equal to the matcher, and to the decision. */
export interface Verified extends Verification {
  /** The first of them: `Deployment web`. */
  readonly title: string;
  readonly namespace: string;
  readonly pods: number;
  readonly images: readonly string[];
}

export interface Verifications {
  readonly rows: readonly Verified[];
  /** Pods of which the matcher was not asked, because there were too many questions. */
  readonly left: number;
}

/** Calls under way at the same time. */
const CALLERS = 4;
/** The waits before a call is tried again, in milliseconds, if ECI throttles it or has no answer. */
const WAITS = [1000, 2000, 4000, 8000, 16_000];
const TRY_AGAIN = /^(?:Throttling|ServiceUnavailable|InternalError|Timeout|ECONNRESET)/;

/** The pods of the source: those that exist, and those that its Jobs and ReplicaSets make. @throws if it cannot be read */
export async function podsOfSource(config: Config): Promise<WorkloadPod[]> {
  const objects = await readHistory(config);
  return objects.flatMap((object) => {
    try {
      return podsOf(object);
    } catch {
      // A workload without a template makes no pods.
      return [];
    }
  });
}

/**
 * @param asked the namespace of all pods; undefined: that of each pod
 * @param mostQuestions distinct questions to ECI at most
 * @throws RegionApiError; Error if the source cannot be read
 */
export async function verifyPods(
  pods: readonly WorkloadPod[],
  asked: string | undefined,
  config: Config,
  mostQuestions: number,
  onProblem: (problem: string) => void,
): Promise<Verifications> {
  const now = Date.now();
  const index = await loadIndex(config, onProblem, () => now);
  const api = connectApi(config);
  const phases = phasesOf(await patiently(() => api.caches()));
  const isRegionRead = [...index.regionCaches.all()].length > 0;
  const groups = groupPods(pods, asked, index, config, now);
  const questions = new Map<string, MatchQuestion>();
  for (const { question } of groups) {
    if (question && questions.size < mostQuestions) questions.set(JSON.stringify(question), question);
  }
  const answers = await askAll(questions, api);
  let left = 0;
  const rows = groups.flatMap(({ decision, question, ...group }): Verified[] => {
    const matched = question ? answers.get(JSON.stringify(question)) : [];
    if (!matched) {
      left += group.pods;
      return [];
    }
    const answer: EciAnswer = { matched, phases, isRegionRead };
    return [{ ...group, images: imagesAsWritten(decision), ...verify(decision, index, answer) }];
  });
  return { rows, left };
}

interface Group {
  readonly title: string;
  readonly namespace: string;
  readonly pods: number;
  readonly decision: Decision;
  /** Undefined if there is nothing to ask the matcher. */
  readonly question: MatchQuestion | undefined;
}

/** Pods that nothing shows to go to ECI are left out. */
function groupPods(
  pods: readonly WorkloadPod[],
  asked: string | undefined,
  index: ClusterIndex,
  config: Config,
  now: number,
): Group[] {
  const groups = new Map<string, Group>();
  for (const { title, namespace: written, pod } of pods) {
    const namespace = asked ?? written ?? 'default';
    const { decision } = decideOffline(pod, namespace, index, config, now);
    if (decision.reason === 'NotForEci') continue;
    const { reason, cacheId } = decision;
    const question = questionOf(decision);
    const key = JSON.stringify([namespace, question, reason, cacheId, decision.request]);
    const known = groups.get(key);
    groups.set(
      key,
      known ? { ...known, pods: known.pods + 1 } : { title, namespace, pods: 1, decision, question },
    );
  }
  return [...groups.values()];
}

/** What to ask the matcher about a pod; undefined if there is nothing to ask. */
function questionOf(decision: Decision): MatchQuestion | undefined {
  const { images, request } = decision;
  if (whyNotAsked(decision) !== undefined || !images || !request) return undefined;
  const { requirement } = request;
  return {
    images: imagesAsWritten(decision),
    perfect: requirement.kind === 'perfect',
    count: requirement.kind === 'count' ? requirement.count : undefined,
  };
}

/** The distinct images that the decision counted, as the pod writes them: ECI reads them so. */
function imagesAsWritten({ images, pod }: Decision): string[] {
  const texts = [...pod.containers.map(({ image }) => image), ...pod.imageVolumes];
  const byKey = new Map(texts.map((text) => [images?.referenceOf(text)?.key, text]));
  return images?.references.flatMap(({ key }) => byKey.get(key) ?? []) ?? [];
}

async function askAll(
  questions: ReadonlyMap<string, MatchQuestion>,
  api: RegionApi,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const answers = new Map<string, readonly string[]>();
  const waiting = questions.entries();
  const ask = async (): Promise<void> => {
    for (const [key, question] of waiting) {
      // oxlint-disable-next-line no-await-in-loop -- each caller asks one question after the other
      const caches = await patiently(() => api.match(question));
      answers.set(
        key,
        caches.map((cache) => readText(cache['ImageCacheId']) ?? ''),
      );
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, ask));
  return answers;
}

async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (const wait of WAITS) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the next attempt only after this one
      return await call();
    } catch (error) {
      if (!(error instanceof RegionApiError) || !TRY_AGAIN.test(error.code)) throw error;
      // oxlint-disable-next-line no-await-in-loop
      await SYSTEM_CLOCK.sleep(wait * (0.5 + SYSTEM_CLOCK.random()), new AbortController().signal);
    }
  }
  return call();
}

function phasesOf(caches: readonly JsonObject[]): Map<string, string> {
  const read = caches.map((cache): [string, string] => [
    readText(cache['ImageCacheId']) ?? '',
    readText(cache['Status']) ?? '',
  ]);
  return new Map(read);
}
