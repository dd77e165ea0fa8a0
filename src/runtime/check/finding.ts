/** What a check of `imc check` is told, and what it finds. */

/** `skipped`: it could not be looked at, for example because a right is missing. */
export type CheckResult = 'ok' | 'warning' | 'failed' | 'skipped';

export interface CheckFinding {
  readonly result: CheckResult;
  /** A sentence. */
  readonly says: string;
  /** What to do, as a sentence; undefined if there is nothing to do. */
  readonly todo?: string | undefined;
}

export interface CheckOptions {
  /** The namespace in which the test pod would be created. */
  readonly namespace: string;
  /** Milliseconds in which all checks end. */
  readonly timeoutMs: number;
  /** Called for each warning that the API server gives about the test pod. */
  readonly onWarning: (warning: string) => void;
}

export function ok(says: string): CheckFinding {
  return { result: 'ok', says };
}

export function failed(says: string, todo: string): CheckFinding {
  return { result: 'failed', says, todo };
}

export function warned(says: string, todo: string): CheckFinding {
  return { result: 'warning', says, todo };
}

export function skipped(says: string, todo?: string): CheckFinding {
  return { result: 'skipped', says, todo };
}
