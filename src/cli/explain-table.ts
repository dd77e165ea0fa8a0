/** Formats an explanation for people. Decides nothing: all facts come from the explanation. */
import { styleText } from 'node:util';
import type { ExplainedCandidate } from '../core/decision/explanation.ts';
import type { Operation } from '../runtime/offline.ts';
import { isObject } from '../core/kubernetes/json.ts';
import { formatBytes } from '../core/kubernetes/quantity.ts';
import { alignColumns, formatAge, formatPhase } from './columns.ts';
import type { PodExplanation } from './explained-pod.ts';

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;

const OUTCOME_STYLES = {
  hit: 'green',
  partial: 'yellow',
  pinned: 'green',
  miss: 'yellow',
  skipped: 'dim',
  denied: 'red',
} as const;

const VERDICT_STYLES = { chosen: 'green', left: 'yellow', beaten: 'dim', refused: 'yellow' } as const;

/** @param now milliseconds since 1970; ages are counted from it */
export function formatExplanation(explanation: PodExplanation, colour: boolean, now: number): string {
  const paint: Paint = (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text);
  const { workload, namespace, outcome, why, warnings, candidates, patch } = explanation;
  const facts: [string, string][] = [
    ...requestFacts(explanation),
    ['outcome', `${paint(['bold', OUTCOME_STYLES[outcome]], outcome)}${result(explanation)}`],
    ['why', why],
    ...regionFacts(explanation),
    ...warnings.map((warning, i): [string, string] => [i === 0 ? 'warnings' : '', paint('yellow', warning)]),
  ];
  const sections = [
    `${paint('bold', workload)} in namespace ${namespace}`,
    facts.map(([name, value]) => `  ${paint('dim', name.padEnd(9))} ${value}`).join('\n'),
    ...(candidates.length > 0 ? [formatCandidates(explanation, paint, now)] : []),
    ...(patch.length > 0 ? [formatPatch(patch, paint)] : []),
  ];
  return `${sections.join('\n\n')}\n\n`;
}

function result({ cacheId, cacheName, degree, reason }: PodExplanation): string {
  if (cacheId === null) return ` (${reason})`;
  const name =
    cacheName === null ? '' : `, ImageCache ${cacheName}, ${degree.exact} of ${degree.images} images`;
  return ` (${reason}): ${cacheId}${name}`;
}

function requestFacts(explanation: PodExplanation): [string, string][] {
  const { boundForEci, effects, request, images, imageVolumes } = explanation;
  if (!request) return [];
  const { pin, auto, autoFrom, match, storageBytes, encrypted } = request;
  const asked =
    pin === null
      ? `${auto ? 'match automatically' : 'do not match'} (${autoFrom ?? 'by default'})${auto ? `, ${match} of ${images.length} images` : ''}`
      : `pinned to ${pin}`;
  return [
    ['for ECI', boundForEci ?? 'not known; it asks for an image cache'],
    ...(effects.length > 0 ? [['effects', effects.join(', ')] satisfies [string, string]] : []),
    ['request', `${asked}; storage ${formatBytes(storageBytes)}${encrypted ? ', encrypted' : ''}`],
    ['runs on', runsOn(explanation)],
    ...images.map((image, i): [string, string] => [i === 0 ? 'images' : '', image]),
    ...imageVolumes.map((image, i): [string, string] => [i === 0 ? 'volumes' : '', image]),
  ];
}

/** What ECI's API, or other pods, add: nothing of it is ever written into a pod. */
function regionFacts({ pinned, completeInRegion, knownFromPods }: PodExplanation): [string, string][] {
  const facts: string[] = [];
  if (pinned) {
    const { id, phase, knownFrom, images } = pinned;
    facts.push(`${id} is ${phase}, known from ${knownFrom}, and holds ${images.join(', ')}`);
  }
  if (completeInRegion !== null)
    facts.push(`${completeInRegion} holds all images: ECI's own matching would find it`);
  for (const { id, pods, images } of knownFromPods)
    facts.push(`${id}, known from ${pods} pods alone, holds at least ${images.join(', ')}`);
  return facts.map((fact, i) => [i === 0 ? 'in region' : '', fact]);
}

function runsOn({ placement }: PodExplanation): string {
  if (!placement) return 'not known';
  const { platform, region, unknown } = placement;
  if (unknown !== null) return `not known (${unknown})`;
  return region === null ? `${platform}` : `${platform} in ${region}`;
}

function formatCandidates(
  { candidates, degree, considered }: PodExplanation,
  paint: Paint,
  now: number,
): string {
  const hasRegion = candidates.some(({ knownFrom }) => knownFrom !== 'object');
  const columns = ['CANDIDATE', 'CACHEID', 'EXACT', 'OTHER VERSION', 'SIZE', 'AGE', 'PHASE'];
  const header = [...columns, ...(hasRegion ? ['KNOWN FROM'] : []), 'VERDICT'];
  const rows = candidates.map((candidate) => [
    candidate.name,
    candidate.id ?? '-',
    `${candidate.degree.exact}/${degree.images}`,
    `${candidate.degree.sameRepository}`,
    formatBytes(candidate.sizeBytes),
    candidate.createdAt === null ? '-' : formatAge(now - Date.parse(candidate.createdAt)),
    formatPhase(candidate),
    ...(hasRegion ? [candidate.knownFrom] : []),
    verdict(candidate),
  ]);
  const lines = alignColumns([header, ...rows]).map((line, i) => {
    const candidate = candidates[i - 1];
    return `  ${candidate ? paint(VERDICT_STYLES[candidate.verdict], line) : paint('dim', line)}`;
  });
  const more = considered > candidates.length ? [`  … and ${considered - candidates.length} more`] : [];
  return [...lines, ...more].join('\n');
}

function verdict({ verdict: word, filter, because }: ExplainedCandidate): string {
  if (word === 'chosen') return 'chosen';
  if (word === 'left') return 'the best, left to ECI';
  return word === 'refused' ? `refused, ${filter}: ${because}` : `beaten: the best one ${because}`;
}

function formatPatch(patch: readonly Operation[], paint: Paint): string {
  const lines = patch.flatMap(({ op, path, value }) =>
    leavesOf(path.replaceAll('~1', '/').replaceAll('~0', '~'), value).map(
      ([target, leaf]) => `    ${op.padEnd(7)} ${target}${leaf === undefined ? '' : ` = ${leaf}`}`,
    ),
  );
  return `  ${paint('dim', 'patch')}\n${lines.join('\n')}`;
}

/** The lines for a value. A map that is added whole is shown key by key. */
function leavesOf(path: string, value: unknown): [string, string | undefined][] {
  if (value === undefined) return [[path, undefined]];
  if (!isObject(value)) return [[path, typeof value === 'string' ? value : JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, item]) => leavesOf(`${path}/${key}`, item));
}
