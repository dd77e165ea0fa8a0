/** The rules of advice, the most useful first within a severity. docs/advice.md lists them from this table. */
import {
  countAboveImages,
  encryptedBesideCache,
  legacyNames,
  malformed,
  namesDisagree,
  onWorkload,
  perfectBesideCount,
  pinBesideMatching,
  unreadable,
} from './annotation-rules.ts';
import {
  costsMoreThanItSaves,
  imageInNoCache,
  invalidImages,
  pinElsewhere,
  pinNotReady,
  pinNotShared,
  pinUnknown,
  pullAlways,
  storageTooSmall,
  tooManyImages,
} from './cache-rules.ts';
import { quote } from '../kubernetes/problem.ts';
import type { PodContext, WorkloadContext } from './context.ts';
import type { Complaint, Severity } from './finding.ts';

export interface Rule {
  readonly name: string;
  readonly severity: Severity;
  /** What the rule finds, in one sentence. */
  readonly finds: string;
  readonly inWorkload?: (workload: WorkloadContext) => readonly Complaint[];
  readonly inPod?: (pod: PodContext) => readonly Complaint[];
}

export const RULES: readonly Rule[] = [
  {
    name: 'pin-not-ready',
    severity: 'error',
    finds: 'The pinned cache is not Ready, has expired or is being deleted: ECI fails such a pod.',
    inPod: pinNotReady,
  },
  {
    name: 'pin-not-shared',
    severity: 'error',
    finds: 'The pinned cache belongs to another namespace.',
    inPod: pinNotShared,
  },
  {
    name: 'pin-elsewhere',
    severity: 'error',
    finds: 'The pinned cache is for another architecture, operating system, region or insecure registry.',
    inPod: pinElsewhere,
  },
  {
    name: 'annotation-on-workload',
    severity: 'error',
    finds:
      'An image-cache annotation is in the metadata of the workload, and not of its pods, so that it does nothing.',
    inWorkload: onWorkload,
  },
  {
    name: 'encrypted-storage',
    severity: 'error',
    finds: 'The pod asks for encrypted storage and for a cache; with a cache it is not encrypted.',
    inPod: encryptedBesideCache,
  },
  {
    name: 'malformed-annotation',
    severity: 'error',
    finds: 'The value of an annotation is none of those that are allowed, and is ignored.',
    inPod: malformed,
  },
  {
    name: 'unreadable-pod',
    severity: 'error',
    finds: 'An image-cache annotation of a pod is no text, for example because a value is not quoted.',
    inPod: unreadable,
  },
  {
    name: 'count-above-images',
    severity: 'error',
    finds: 'The pod asks for more matching images than it has, so that no cache qualifies.',
    inPod: countAboveImages,
  },
  {
    name: 'invalid-image',
    severity: 'error',
    finds: 'An image is no valid reference.',
    inPod: invalidImages,
  },
  {
    name: 'pin-unknown',
    severity: 'warning',
    finds: 'No ImageCache of the cluster has the pinned ID. An error if `pin.unknown` is `deny`.',
    inPod: pinUnknown,
  },
  {
    name: 'storage-too-small',
    severity: 'warning',
    finds: 'A cache holds all images, and is larger than the storage of the pod.',
    inPod: storageTooSmall,
  },
  {
    name: 'pull-always',
    severity: 'warning',
    finds:
      'A container pulls Always, as written or because of the tag `latest`, although a cache holds its image or will.',
    inPod: pullAlways,
  },
  {
    name: 'image-in-no-cache',
    severity: 'warning',
    finds: 'No cache holds an image, or the pinned one does not, and nobody is asked to make one that does.',
    inPod: imageInNoCache,
  },
  {
    name: 'too-many-images',
    severity: 'warning',
    finds: 'The pod has more than 20 distinct images, which no cache can hold.',
    inPod: tooManyImages,
  },
  {
    name: 'costs-more',
    severity: 'warning',
    finds: 'Pods of this template live so long that the disk of a cache costs more than the saved seconds.',
    inPod: costsMoreThanItSaves,
  },
  {
    name: 'pin-beside-matching',
    severity: 'warning',
    finds: 'A pin stands beside annotations for automatic matching, which do nothing then.',
    inPod: pinBesideMatching,
  },
  {
    name: 'names-disagree',
    severity: 'warning',
    finds: 'The old and the new name of an annotation have different values; the new one wins.',
    inPod: namesDisagree,
  },
  {
    name: 'perfect-beside-count',
    severity: 'warning',
    finds: 'A count stands beside a perfect match, and does nothing.',
    inPod: perfectBesideCount,
  },
  {
    name: 'legacy-annotation',
    severity: 'note',
    finds:
      'An annotation has its older name (only with `dialect: modern`, and never on Knative or Argo, whose documents recommend it).',
    inPod: legacyNames,
  },
  {
    name: 'unknown-rule',
    severity: 'note',
    finds: 'The annotation that silences rules names one that does not exist.',
    inWorkload: ({ ignored }) =>
      ignored
        .filter(({ name }) => !RULES.some((rule) => rule.name === name))
        .map(({ name, field }) => ({
          field,
          why: `${quote(name)} is no rule of advice`,
          instead: 'write the name that the finding has',
        })),
  },
];
