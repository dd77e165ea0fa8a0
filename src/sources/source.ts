/** Owns what every source of the cluster's objects offers to the rest. */

export interface Source {
  /**
   * Fills the index, and from then on keeps it up to date.
   * @returns once the index has been filled
   * @throws where there is nothing to fill it from
   */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What cannot be read at the moment, each in a line. */
  problems(): readonly string[];
  status(): readonly KindStatus[];
}

/** What the source knows of one kind of object. */
export interface KindStatus {
  /** `ImageCache`. */
  readonly kind: string;
  /** `absent`: the cluster does not have this kind, which is not the same as having no object of it. */
  readonly state: 'listing' | 'watching' | 'absent' | 'retrying';
  readonly objects: number;
  /** Milliseconds since 1970 of the last word that these are all; undefined before the first. */
  readonly confirmedAtMs: number | undefined;
}

/** What a source tells while it works. */
export interface SourceEvents {
  /** A new problem, as a line. */
  readonly onProblem: (problem: string) => void;
  /** Something that an operator may want to know, as a line: all objects were listed, a problem is over. */
  readonly onProgress: (message: string) => void;
  /** Objects went into the index or out of it. */
  readonly onChange: (change: { readonly applied: number; readonly deleted: number }) => void;
}
