/** Owns what every source of the cluster's objects offers to the rest. */

export interface Source {
  /**
   * Fills the index, and from then on keeps it up to date.
   * @returns once the index has been filled
   * @throws where there is nothing to fill it from
   */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What cannot be read at the moment, each in a line; what it held before stays in force. */
  problems(): readonly string[];
}

/** What a source tells while it works. */
export interface SourceEvents {
  /** A new problem, as a line. */
  readonly onProblem: (problem: string) => void;
  /** Objects went into the index or out of it. */
  readonly onChange: (change: { readonly applied: number; readonly deleted: number }) => void;
}
