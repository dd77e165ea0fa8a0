/** The codes of outcomes and of refusals: stable names for logs, metrics and programs. */

export type Outcome = 'hit' | 'partial' | 'pinned' | 'miss' | 'denied' | 'skipped';

/** Why a decision has its outcome. */
export const REASONS = {
  BestMatch: 'a cache that holds all images was chosen by automatic matching',
  PartialMatch: 'the best cache lacks some of the images, and is used',
  PartialMatchLeftToEci: 'the best cache lacks some of the images, and the choice is left to ECI',
  Pinned: "the user's cache is Ready",
  PinnedUnknown: "the user's cache has no ImageCache object in this cluster; ECI itself may know it",
  PinnedNotReady: "the user's cache is not Ready, and pin.notReady is warn",
  PinnedUnchecked: "the user's cache could not be looked up in an index that is not up to date",
  NoCacheHoldsImages: 'no cache shares an image with the pod',
  NoCacheQualifies: 'caches share images with the pod, and each was refused',
  ImageCacheNotComplete: "denied: the user's cache is not Ready (ECI's own reason)",
  ImageCacheNotFound: "denied: the user's cache is unknown, and pin.unknown is deny (ECI's own reason)",
  NotShared: "denied: the user's cache belongs to another namespace",
  InvalidAnnotation: 'denied: an annotation is malformed, and onInvalidAnnotation is deny',
  NotForEci: 'nothing says that the pod goes to ECI, and it carries no image-cache annotation',
  ImageCachesUnsupported: 'the cluster does not have the ImageCache resource',
  AcsPod: 'the pod runs on ACS, which does not use the image caches of ECI',
  Encrypted: 'the pod asks for encrypted storage, which a pod that starts from an ImageCache does not get',
  PlacementNotKnown:
    'the pod allows several architectures, operating systems or regions, and has no node yet',
  AnnotationsTooLarge: 'what the webhook would write does not fit into the annotations of the pod',
  TooManyImages: 'the pod has more distinct images than a decision looks at',
  NodeNotKnown: 'the pod may run on a normal node; it is decided when it is bound (bindTime)',
  PodNotFound: 'the pod of a binding is known neither from the watch nor from the API server',
  AutoMatchOff: 'automatic matching is off for the pod',
  IndexNotSynced: 'the index has not been filled yet; the choice is left to ECI',
  IndexStale: 'the index is older than maxStaleness; the choice is left to ECI',
  PodUnreadable: 'the pod cannot be read; the API server refuses it itself',
} as const;

export type ReasonCode = keyof typeof REASONS;

/** Why a candidate was refused: the name of the filter. */
export type FilterCode =
  | 'NotShared'
  | 'OnlyInRegion'
  | 'OtherRegistry'
  | 'NotReady'
  | 'Expiring'
  | 'BeingDeleted'
  | 'Retiring'
  | 'OtherRegion'
  | 'OtherArchitecture'
  | 'OtherOperatingSystem'
  | 'TooLarge'
  | 'NotEnoughImages';
