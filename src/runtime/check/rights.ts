/** Looks at rights: those of whoever runs the command, and those of the webhook's service account. */
import { partOf, readText } from '../../core/kubernetes/json.ts';
import { isForbidden, type Access, type ApiQuestions } from '../../sources/kubernetes/api-questions.ts';
import { failed, ok, warned, type CheckFinding } from './finding.ts';
import type { Installation } from './installation.ts';

const CACHES = { group: 'eci.alibabacloud.com', resource: 'imagecaches' };
const NAMESPACES = { group: '', resource: 'namespaces' };
const NODES = { group: '', resource: 'nodes' };

/** What the commands read, and which command needs it. */
const OURS: readonly (Access & { readonly for: string })[] = [
  { ...CACHES, verb: 'list', for: 'explain, status, wait' },
  { ...NAMESPACES, verb: 'list', for: 'explain' },
  { ...NODES, verb: 'list', for: 'explain' },
  { group: '', resource: 'pods', verb: 'list', for: 'explain TYPE/NAME, status' },
  { group: '', resource: 'events', verb: 'list', for: 'status' },
];

/** What the webhook cannot work without. */
const OF_WEBHOOK: readonly Access[] = [CACHES, NAMESPACES, NODES].flatMap((each) =>
  ['list', 'watch'].map((verb) => ({ ...each, verb })),
);

/** @param installation undefined if there is none @throws ApiError */
export async function checkRights(
  api: ApiQuestions,
  installation: Installation | undefined,
): Promise<CheckFinding> {
  const lacking = await refused(OURS, (access) => api.mayI(access));
  const ofWebhook = await webhookLacks(api, installation);
  if (ofWebhook && ofWebhook.lacking.length > 0) {
    return failed(
      `The webhook's service account ${ofWebhook.account} may not ${ofWebhook.lacking.map(describe).join(', ')}.`,
      'Install the chart with rbac.create=true, or give it the rights of charts/imagecache-webhook/rbac.',
    );
  }
  if (lacking.length > 0) {
    const what = lacking.map((each) => `${describe(each)} (for imc ${each.for})`);
    return warned(`You may not ${what.join(', ')}.`, 'Ask for these rights, or leave out what needs them.');
  }
  return ok(
    ofWebhook
      ? `You may read what the commands show, and ${ofWebhook.account} what the webhook needs.`
      : 'You may read what the commands show.',
  );
}

/** @returns undefined if nobody can tell: there is no replica, or we may not ask about others */
async function webhookLacks(
  api: ApiQuestions,
  installation: Installation | undefined,
): Promise<{ readonly account: string; readonly lacking: readonly Access[] } | undefined> {
  const [pod] = installation?.replicas ?? [];
  const { service } = installation ?? {};
  if (!pod || !service) return undefined;
  const name = readText(partOf(pod, 'spec')['serviceAccountName']) ?? 'default';
  try {
    const lacking = await refused(OF_WEBHOOK, (access) => api.may(service.namespace, name, access));
    return { account: `${service.namespace}/${name}`, lacking };
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

async function refused<T extends Access>(
  wanted: readonly T[],
  may: (access: Access) => Promise<boolean>,
): Promise<T[]> {
  const answers = await Promise.all(
    wanted.map(({ group, resource, verb }) => may({ group, resource, verb })),
  );
  return wanted.filter((_access, i) => answers[i] === false);
}

function describe({ verb, resource }: Access): string {
  return `${verb} ${resource}`;
}
