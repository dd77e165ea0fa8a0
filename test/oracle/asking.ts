/** Puts the oracle's questions to the index and to the decision. */
import { surveyCandidates } from '../../src/core/decision/match/matcher.ts';
import type { ClusterIndex } from '../../src/index/cluster-index.ts';
import { cacheObject, decideFor, podObject, type Decided, type Json } from '../support/objects.ts';
import {
  normalise,
  type OracleAnswer,
  type OracleCache,
  type OracleOptions,
  type OraclePod,
} from './oracle.ts';

/** What `sizes` knows an image by. */
export function keyOf(text: string): string {
  const { name: repository, version } = normalise(text);
  return repository + version;
}

export function toObject(each: OracleCache): Json {
  return cacheObject({
    name: each.name,
    id: each.id,
    images: each.images,
    size: each.sizeGiB,
    phase: each.phase,
    created: new Date(each.created).toISOString(),
    ...(each.expires !== null && { expires: new Date(each.expires).toISOString() }),
    deleting: each.deleting,
    ...(each.region !== null && { region: each.region }),
  });
}

function annotationsOf({ perfect, count, extraGiB, pin }: OraclePod): Record<string, string> {
  return {
    ...(perfect && { 'k8s.aliyun.com/imc-perfect-match': 'true' }),
    ...(count !== null && { 'k8s.aliyun.com/imc-match-count-request': `${count}` }),
    ...(extraGiB > 0 && { 'k8s.aliyun.com/eci-extra-ephemeral-storage': `${extraGiB}Gi` }),
    ...(pin !== null && { 'k8s.aliyun.com/eci-imc-id': pin }),
  };
}

/** The decision for a question of the oracle. */
export function decideAsked(index: ClusterIndex, asked: OraclePod, chosen: OracleOptions): Decided {
  return decideFor(
    podObject({ images: asked.images, annotations: annotationsOf(asked) }),
    index,
    {
      minimumMatch: chosen.minimumMatch,
      expiryMarginMs: chosen.expiryMargin,
      region: chosen.region,
      pin: { notReady: chosen.notReady, unknown: chosen.unknown },
    },
    chosen.now,
  );
}

/**
 * What index and decision say, in the oracle's words.
 * @param limit how many candidates are looked at for the order, which then is the beginning of it
 */
export function askIndex(
  index: ClusterIndex,
  asked: OraclePod,
  chosen: OracleOptions,
  limit = Infinity,
): OracleAnswer {
  const { decision } = decideAsked(index, asked, chosen);
  const survey = decision.match ? surveyCandidates(decision.match, index, limit) : [];
  const order = survey.filter(({ refusal }) => !refusal).map((verdict) => verdict.cache.name);
  return { outcome: decision.outcome, cacheId: decision.cacheId ?? null, order };
}
