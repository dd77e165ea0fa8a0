/** Makes the JSON Patch (RFC 6902) that writes a decision into the pod or the Binding. */
import jsonPatch from 'fast-json-patch';
import type { BindingDecision } from '../core/decision/binding.ts';
import type { Decision } from '../core/decision/decide.ts';
import { EMPTY_MAP, type StringMap } from '../core/kubernetes/json.ts';
import type { Container, Pod } from '../core/pod.ts';

/** An operation of a JSON Patch, as the API server reads it. */
export interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

/** The parts of a pod that we may change: annotations, labels, scheduling gates and pull policies. */
interface Changeable {
  readonly annotations: StringMap;
  readonly labels: StringMap;
  readonly gates: readonly string[];
  readonly containers: readonly Container[];
}

/** @returns no operations if nothing changes, or if the pod is denied */
export function patchFor(seen: Pod, { outcome, pod }: Decision): readonly Operation[] {
  return outcome === 'denied' ? [] : patchBetween(seen, pod, seen.present);
}

/** The patch of a Binding, whose annotations and labels the API server merges into the pod's. */
export function patchForBinding({ binding, annotations, labels }: BindingDecision): readonly Operation[] {
  const rest = { gates: [], containers: [] };
  return patchBetween({ ...rest, ...binding }, { ...rest, annotations, labels }, binding.present);
}

function patchBetween(from: Changeable, to: Changeable, present: Pod['present']): readonly Operation[] {
  const annotations = differing(from.annotations, to.annotations);
  const labels = differing(from.labels, to.labels);
  const isGated = from.gates.join() !== to.gates.join();
  const gates = isGated ? ([from.gates, to.gates] as const) : ([[], []] as const);
  const containers =
    from.containers === to.containers ? ([[], []] as const) : ([from.containers, to.containers] as const);
  return jsonPatch.compare(
    toDocument(
      { annotations: annotations[0], labels: labels[0], gates: gates[0], containers: containers[0] },
      present,
    ),
    toDocument(
      { annotations: annotations[1], labels: labels[1], gates: gates[1], containers: containers[1] },
      present,
    ),
  );
}

/** The entries of each map that differ from the other map: a pod may have megabytes that stay the same. */
function differing(from: StringMap, to: StringMap): readonly [StringMap, StringMap] {
  if (from === to) return [EMPTY_MAP, EMPTY_MAP];
  const before = new Map<string, string>();
  const after = new Map<string, string>();
  let common = 0;
  for (const [key, value] of to) {
    const former = from.get(key);
    if (former !== undefined) common += 1;
    if (former === value) continue;
    after.set(key, value);
    if (former !== undefined) before.set(key, former);
  }
  // If every key of `from` was met, none is missing in `to`.
  if (common < from.size) for (const [key, value] of from) if (!to.has(key)) before.set(key, value);
  return [before, after];
}

/** @param present which of `metadata`, `annotations` and `labels` exist in the JSON, even if they are empty */
function toDocument({ annotations, labels, gates, containers }: Changeable, present: Pod['present']): object {
  const metadata = {
    ...((present.annotations || annotations.size > 0) && { annotations: Object.fromEntries(annotations) }),
    ...((present.labels || labels.size > 0) && { labels: Object.fromEntries(labels) }),
  };
  const hasMetadata = present.metadata || Object.keys(metadata).length > 0;
  return {
    ...(hasMetadata && { metadata }),
    spec: {
      ...(gates.length > 0 && { schedulingGates: gates.map((name) => ({ name })) }),
      initContainers: pullPoliciesOf(containers, '/spec/initContainers/'),
      containers: pullPoliciesOf(containers, '/spec/containers/'),
    },
  };
}

function pullPoliciesOf(containers: readonly Container[], prefix: string): object[] {
  return containers
    .filter(({ pointer }) => pointer.startsWith(prefix))
    .map(({ imagePullPolicy }) => (imagePullPolicy === undefined ? {} : { imagePullPolicy }));
}
