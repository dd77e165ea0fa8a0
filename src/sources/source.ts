/** What every source of the cluster's objects offers. */

export interface Source {
  /**
   * Fills the index, and keeps it up to date from then on.
   * @returns once the index has been filled
   * @throws if there is nothing to fill it from
   */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The objects and files that cannot be read now, one a line. */
  problems(): readonly string[];
  status(): readonly KindStatus[];
}

/** What the source knows of one kind of object. */
export interface KindStatus {
  /** `ImageCache`. */
  readonly kind: string;
  /** `absent`: the cluster does not have this kind, which differs from having no object of it. */
  readonly state: 'listing' | 'watching' | 'absent' | 'retrying';
  readonly objects: number;
  /** When the API server last confirmed the objects of this kind; undefined before the first time. */
  readonly confirmedAtMs: number | undefined;
}

/** What a source reports while it works. */
export interface SourceEvents {
  /** A new problem, in one line. */
  readonly onProblem: (problem: string) => void;
  /** A step that an operator may want to know of, in one line: all objects were listed, or a problem is over. */
  readonly onProgress: (message: string) => void;
  /** Objects were put into the index or taken out of it. */
  readonly onChange: (change: { readonly applied: number; readonly deleted: number }) => void;
}
