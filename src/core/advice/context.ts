/** What the rules of advice look at: a workload, and each of the pods that its templates make, with the decision on it. */
import type { Decision } from '../decision/decide.ts';
import type { DecisionOptions } from '../decision/options.ts';
import type { MalformedAnnotation } from '../decision/request.ts';
import type { View } from '../decision/view.ts';
import type { PodImages } from '../image/image-set.ts';
import type { StringMap } from '../kubernetes/json.ts';
import type { Pod } from '../pod.ts';
import type { WorkloadKind } from '../workload/kinds.ts';
import type { PodFields } from '../workload/pod-fields.ts';

export interface WorkloadContext {
  readonly kind: WorkloadKind;
  /** Annotations that no pod gets, by the path where they stand. */
  readonly ownAnnotations: readonly { readonly path: string; readonly annotations: StringMap }[];
  /** How many templates were looked at. */
  readonly templates: number;
  /** The first few pods of its templates, without those that the webhook leaves alone. */
  readonly pods: readonly PodContext[];
  /** What the workload wants no advice about: names of rules. */
  readonly ignored: readonly { readonly field: string; readonly name: string }[];
}

export interface PodContext {
  readonly kind: WorkloadKind;
  readonly fields: PodFields;
  /** As its user wrote it, without changes of ours that were copied. */
  readonly pod: Pod;
  readonly decision: Decision;
  /** The annotations of the pod that are ignored, because their values mean nothing. */
  readonly malformed: readonly MalformedAnnotation[];
  /** Undefined if the decision ended before it looked at the images. */
  readonly images: PodImages | undefined;
  /** The path in the pod of what cannot be read; undefined if all can. */
  readonly unreadable?: string;
  readonly view: View;
  readonly options: DecisionOptions;
}
