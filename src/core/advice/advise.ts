/** Advice on a workload: what of its image-cache annotations does not do what its user may think (docs/advice.md). */
import { ADVICE_IGNORE } from '../annotations.ts';
import { isSwitchedOff } from '../controller/misses.ts';
import { decide, decideOnUnreadable } from '../decision/decide.ts';
import type { DecisionOptions } from '../decision/options.ts';
import { withCachesUnread } from '../decision/narrowed-view.ts';
import { asUserWroteIt } from '../decision/provenance.ts';
import { readRequest } from '../decision/request.ts';
import type { View } from '../decision/view.ts';
import { partOf, readStringMap, type JsonObject } from '../kubernetes/json.ts';
import { readGroupKind } from '../kubernetes/object.ts';
import { Unreadable } from '../kubernetes/problem.ts';
import { readPod, UNREAD_POD, type Pod } from '../pod.ts';
import { workloadKind, type WorkloadKind } from '../workload/kinds.ts';
import { annotationField } from '../workload/pod-fields.ts';
import { podsOf, type WorkloadPod } from '../workload/pods.ts';
import { join, partsAt } from '../workload/template-path.ts';
import { POD_KEYS } from './annotation-rules.ts';
import type { PodContext, WorkloadContext } from './context.ts';
import { SEVERITIES, type Complaint, type Finding } from './finding.ts';
import { RULES, type Rule } from './rules.ts';

const OWN_KEYS: ReadonlySet<string> = new Set([...POD_KEYS, ADVICE_IGNORE]);

/** Templates of one workload that the webhook looks at; a workflow may have thousands. */
export const MOST_TEMPLATES = 20;

/**
 * The findings about a workload, the most useful first; none for a kind that makes no pods.
 * @param namespace of the workload
 * @param nowMs milliseconds since 1970
 * @param most templates that are looked at
 * @throws Unreadable if the workload lacks its template
 */
export function advise(
  manifest: JsonObject,
  namespace: string,
  view: View,
  options: DecisionOptions,
  nowMs: number,
  most = MOST_TEMPLATES,
): Finding[] {
  const kind = workloadKind(readGroupKind(manifest));
  if (!kind) return [];
  // Advice is about the pods that do go to ECI, so a node that is not known yet is no reason to wait.
  const settled = { ...options, bindTime: false };
  // A template of the whole cluster has no namespace, so that nobody can tell which caches its pods may have.
  const seen = kind.isClusterScoped === true ? withCachesUnread(view) : view;
  const made = podsOf(manifest, most);
  const pods = made
    .map((each) => podContext(kind, each, namespace, seen, settled, nowMs))
    .filter(({ pod, decision }) => decision.reason !== 'AcsPod' && !isLeftOut(pod, view));
  const workload: WorkloadContext = {
    kind,
    templates: made.length,
    pods,
    ownAnnotations: ownAnnotations(kind, manifest),
    ignored: ignoredRules(manifest, pods),
  };
  const ignored = new Set(workload.ignored.map(({ name }) => name));
  const found = RULES.filter(({ name }) => !ignored.has(name)).flatMap((rule) =>
    [...(rule.inWorkload?.(workload) ?? []), ...pods.flatMap((pod) => rule.inPod?.(pod) ?? [])].map(
      (complaint) => toFinding(rule, complaint),
    ),
  );
  return distinct(found).toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

/** Whether the API server does not send the pod to the webhook, so that what a decision says does not come about. */
function isLeftOut({ labels, namespace }: Pod, view: View): boolean {
  return isSwitchedOff(labels) || isSwitchedOff(view.namespaceLabels(namespace));
}

/** Whether two states of a workload get the same advice: their pods and their own annotations are equal. */
export function isSameForAdvice(before: JsonObject, after: JsonObject): boolean {
  const text = adviceInput(before);
  return text !== undefined && text === adviceInput(after);
}

/** What advice depends on, as JSON; undefined if the workload cannot be read. Not its pods, which may be much larger. */
function adviceInput(manifest: JsonObject): string | undefined {
  try {
    const kind = workloadKind(readGroupKind(manifest));
    if (!kind) return '';
    const own = ownAnnotations(kind, manifest).map(({ annotations }) => [...annotations]);
    const templates = kind.templates.flatMap((path) => partsAt(manifest, path)).map(({ part }) => part);
    return JSON.stringify([templates, own]);
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

function podContext(
  kind: WorkloadKind,
  { pod: object, fields }: WorkloadPod,
  namespace: string,
  view: View,
  options: DecisionOptions,
  nowMs: number,
): PodContext {
  const common = { kind, fields, view, options };
  try {
    const seen = readPod(object, namespace);
    const decision = decide(seen, view, options, nowMs);
    const pod = asUserWroteIt(seen, view.profile());
    const { malformed } = readRequest(pod.annotations, true, 0);
    return { ...common, pod, decision, malformed, images: decision.images };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const decision = decideOnUnreadable(error);
    return { ...common, pod: UNREAD_POD, decision, malformed: [], images: undefined, unreadable: error.path };
  }
}

/** The annotations of the workload itself that advice is about; those of a Pod are its pod's. */
function ownAnnotations(kind: WorkloadKind, manifest: JsonObject): WorkloadContext['ownAnnotations'] {
  if (kind.templates.includes('')) return [];
  const others = (kind.otherMetadata ?? []).flatMap((path) => partsAt(manifest, `${path}?`));
  const all = [{ path: 'metadata', part: partOf(manifest, 'metadata') }, ...others];
  return all.map(({ path, part }) => {
    const annotations = readStringMap(part['annotations'], join(path, 'annotations'));
    const relevant = [...annotations].filter(([key]) => OWN_KEYS.has(key));
    return { path: join(path, 'annotations'), annotations: new Map(relevant) };
  });
}

/** The rules that the workload, or one of its pods, wants no advice by. */
function ignoredRules(manifest: JsonObject, pods: readonly PodContext[]): WorkloadContext['ignored'] {
  const own = partOf(partOf(manifest, 'metadata'), 'annotations');
  const texts = [
    { field: annotationField('metadata.annotations', ADVICE_IGNORE), text: own[ADVICE_IGNORE] },
    ...pods.map(({ pod, fields }) => ({
      field: fields.annotation(ADVICE_IGNORE),
      text: pod.annotations.get(ADVICE_IGNORE),
    })),
  ];
  return texts.flatMap(({ field, text }) =>
    typeof text === 'string'
      ? text
          .split(',')
          .map((name) => name.trim())
          .filter((name) => name !== '')
          .map((name) => ({ field, name }))
      : [],
  );
}

function toFinding({ name, severity }: Rule, complaint: Complaint): Finding {
  return { rule: name, severity, ...complaint };
}

/** Pods of one workload often share a field, such as the podMetadata of a workflow: the first finding about it counts. */
function distinct(findings: readonly Finding[]): Finding[] {
  return [
    ...new Map(findings.toReversed().map((each) => [`${each.rule} ${each.field}`, each])).values(),
  ].toReversed();
}
