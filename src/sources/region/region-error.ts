/**
 * What went wrong with a call of ECI's API, in our own words. No message of the SDK is passed on, because they quote the
 * request with its credentials.
 */
import { isObject, partOf, readText } from '../../core/kubernetes/json.ts';

/** A call that failed, in words that hold no credential. */
export class RegionApiError extends Error {
  readonly code: string;

  constructor(code: string, action: string) {
    super(`${action}: ${explain(code, action)}`);
    this.code = code;
  }
}

/** The code of the API (`Throttling.User`), or of the network (`ECONNREFUSED`); nothing else of the error is safe to show. */
export function codeOf(error: unknown): string {
  if (!isObject(error)) return 'Unknown';
  if (/Timeout/.test(`${String(error['name'])} ${String(error['code'])}`)) return 'Timeout';
  const code = readText(error['code']) ?? readText(partOf(error, 'data')['Code']);
  return code !== undefined && /^[\w.-]{1,64}$/.test(code) ? code : 'Unknown';
}

/** What to do about the codes of Alibaba Cloud, by how they begin. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^Throttling/, 'too many calls; they are made less often for a while'],
  [
    /^InvalidTimeStamp/,
    "the clock of this machine differs from Alibaba Cloud's by more than 15 minutes: set it",
  ],
  [/^InvalidSecurityToken/, 'the session token is not valid, or has expired: get a new one'],
  [/^(?:InvalidAccessKeyId|SignatureDoesNotMatch|IncompleteSignature)/, 'the access key is not valid'],
  [/^(?:Forbidden|NoPermission)/, 'the RAM policy does not allow it; docs/region.md has the policy'],
  [
    /^RoleNotAssumed/,
    'the role of the service account could not be taken on (RRSA): look at the role and its trust',
  ],
  [/^NoCredentials/, 'no credentials were found; docs/region.md says where they may be'],
  [/^RepeatedToken/, 'the same page of the list came twice: nothing of it is used'],
  [/^TooManyPages/, 'the region lists more than 10,000 caches: nothing of the list is used'],
  [/^(?:ECONN|ENOTFOUND|EAI_AGAIN|Timeout|EHOSTUNREACH)/, 'the API cannot be reached'],
];

function explain(code: string, action: string): string {
  const advice = ADVICE.find(([pattern]) => pattern.test(code))?.[1];
  return advice === undefined
    ? `ECI's API answered ${code}`
    : `${advice.replace('it;', `eci:${action};`)} (${code})`;
}
