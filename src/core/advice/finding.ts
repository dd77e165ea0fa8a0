/** What advice consists of: findings, each of which names a field of a manifest, says why it matters and what to write. */

/**
 * `error`: pods fail, or do not get what is asked for. `warning`: it costs time or money, or means less than it seems to.
 * `note`: it could be plainer.
 */
export type Severity = 'error' | 'warning' | 'note';

/** The worst first. */
export const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];

export interface Finding {
  /** The name of the rule. */
  readonly rule: string;
  readonly severity: Severity;
  /** The path in the manifest: `spec.template.metadata.annotations[k8s.aliyun.com/eci-imc-id]`. */
  readonly field: string;
  /** A clause. */
  readonly why: string;
  /** What to write instead, as a clause. */
  readonly instead: string;
}

/** What a rule says of one field. */
export interface Complaint extends Pick<Finding, 'field' | 'why' | 'instead'> {
  /** The rule's own severity if it is not given. */
  readonly severity?: Severity;
}

/** @param most characters; of a longer text, the middle part is shortened, so that it still says what to write */
export function describeFinding({ field, why, instead }: Finding, most = Infinity): string {
  const room = most - field.length - instead.length - 4;
  const cut = why.length <= room ? why : `${why.slice(0, Math.max(room - 3, 0))}...`;
  return `${field}: ${cut}; ${instead}`;
}
