/**
 * The requests of the webhook's service account, from the API server's audit log, and its rights, in one form that can
 * be compared.
 */
import { readFileSync } from 'node:fs';
import type { Rule } from './cluster.ts';

export interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus: { readonly code: number };
}

/** The kinds on which the chart gives rights by object name, and those on which it gives rights in one namespace. */
const NAMED = new Set([
  'configmaps',
  'secrets',
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
  'leases',
]);
const CONFINED = new Set(['configmaps', 'secrets', 'leases']);

/** All audited requests so far. A watch is in the log once it has ended. */
export function audited(auditLog: string): AuditEvent[] {
  return readFileSync(auditLog, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditEvent);
}

function right(verb: string, group: string, resource: string, name = '*', namespace = '*'): string {
  return `${verb} ${resource}${group && `.${group}`}/${name} in ${namespace}`;
}

/** The webhook puts Events on an object of kube-system, the controller on any pod. */
function isConfined({ resource, namespace }: AuditEvent['objectRef']): boolean {
  return CONFINED.has(resource) || (resource === 'events' && namespace === 'kube-system');
}

/** The right that a request has used; a list or a watch of all objects has no name. */
export function used({ verb, objectRef }: AuditEvent): string {
  const { apiGroup = '', resource, namespace, name } = objectRef;
  return right(
    verb,
    apiGroup,
    resource,
    // The name of a created object is in the body, and no right can depend on it.
    NAMED.has(resource) && verb !== 'create' ? name : undefined,
    isConfined(objectRef) ? namespace : undefined,
  );
}

/** The rights that a user has used, each once. */
export function usedBy(events: readonly AuditEvent[], username: string): string[] {
  return [...new Set(events.filter(({ user }) => user.username === username).map(used))];
}

/** Those of the rights that a user has not used. */
export function unusedBy(
  events: readonly AuditEvent[],
  username: string,
  rights: readonly string[],
): string[] {
  const done = usedBy(events, username);
  return rights.filter((each) => !done.includes(each));
}

/** The requests for which somebody had no right. */
export function refusedOf(events: readonly AuditEvent[]): AuditEvent[] {
  return events.filter(({ responseStatus: { code } }) => code === 401 || code === 403);
}

/** @param namespace that of a Role; undefined for a ClusterRole */
export function granted(rules: readonly Rule[], namespace?: string): string[] {
  return rules.flatMap(({ apiGroups, resources, verbs, resourceNames = [undefined] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) => resourceNames.map((name) => right(verb, group, resource, name, namespace))),
      ),
    ),
  );
}
