/** Puts the oracle's questions to the index and to the decision. */
import { surveyCandidates } from '../../src/core/decision/match/matcher.ts';
import type { ClusterIndex } from '../../src/index/cluster-index.ts';
import { cacheObject, decideFor, podObject, type Decided, type Json } from '../support/objects.ts';
import type { OracleAnswer, OracleCache, OracleOptions, OraclePod } from './oracle.ts';

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
    annotations: {
      ...(each.architecture !== 'amd64' && { 'k8s.aliyun.com/imc-cpu-arch': each.architecture }),
      ...(each.system !== 'linux' && { 'k8s.aliyun.com/imc-os-type': each.system }),
    },
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

/** The pod, labelled for ECI, whose first container requests all of the storage. */
function podOf(asked: OraclePod): Json {
  const { images, requestedGiB, architectures, system } = asked;
  const terms = architectures.map((values) => ({
    matchExpressions: [
      { key: 'zone', operator: 'Exists' },
      ...(values.length > 0 ? [{ key: 'kubernetes.io/arch', operator: 'In', values }] : []),
    ],
  }));
  const requests = { 'ephemeral-storage': `${requestedGiB}Gi` };
  return podObject({
    annotations: annotationsOf(asked),
    spec: {
      containers: images.map((image, i) => ({
        name: `c${i}`,
        image,
        ...(i === 0 && requestedGiB > 0 && { resources: { requests } }),
      })),
      ...(system !== null && { os: { name: system } }),
      ...(terms.length > 0 && {
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
        },
      }),
    },
  });
}

/** The webhook's decision for a pod in the oracle's form. */
export function decideAsked(index: ClusterIndex, asked: OraclePod, chosen: OracleOptions): Decided {
  return decideFor(
    podOf(asked),
    index,
    {
      minimumMatch: chosen.minimumMatch,
      partialHits: chosen.partialHits,
      createOnMiss: { by: chosen.by },
      expiryMarginMs: chosen.expiryMargin,
      region: { name: chosen.region },
      pin: { notReady: chosen.notReady, unknown: chosen.unknown },
    },
    chosen.now,
  );
}

/**
 * The answer of the index and the decision, in the form of the oracle's answer.
 * @param limit how many candidates to examine; the order then contains only the first of them
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
