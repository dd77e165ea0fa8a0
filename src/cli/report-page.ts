/** The report as one page of HTML. */
import { stringify } from 'yaml';
import type { PlannedCache } from '../core/plan/planned-cache.ts';
import type { WarmShare } from '../core/report/shares.ts';
import { formatSeconds } from '../core/kubernetes/time.ts';
import type { Report } from '../runtime/report.ts';
import { formatAge, share } from './columns.ts';
import { bars, escaped, page, table } from './page.ts';

/** Bars of one chart, and rows of one table; -o json has all. */
const MOST = { bars: 15, rows: 50 };

export function reportPage(report: Report): string {
  const { madeAt, all, byNamespace, byImage, money } = report;
  const title = 'How warm pods start';
  const saves = money.saved - money.disks;
  return page(
    title,
    `<h1>${title}</h1>
<p class="soft">Of the pods that were there at ${escaped(madeAt)}. A pod starts warm if its cache holds all of its images.</p>
<ul class="tiles">
${tile(share(all.decidedWarm, all.pods), `decided warm, of ${count(all.pods)} pods`)}
${tile(share(all.startedWarm, all.placed), `started from a cache, of ${count(all.placed)} that ECI has placed`)}
${tile(formatSeconds(money.secondsSaved), 'of pulling saved, of all pods together')}
${tile(Math.abs(saves).toFixed(2), `more ${saves >= 0 ? 'saved than spent' : 'spent than saved'}: ${money.saved.toFixed(2)} saved, disks ${money.disks.toFixed(2)}`)}
</ul>
${sharesSection('By namespace', 'Namespace*', byNamespace)}
${sharesSection('By image', 'Image*', byImage)}
${helpSection(report.wouldHelp)}
${unusedSection(report)}
${legacySection(report)}
${unansweredSection(report)}
<h2>Money</h2>
<p>By the prices in the settings. ${count(money.warmPods)} pods started from a cache and were spared ${count(money.secondsSaved)} s of pulling,
which would have cost ${money.saved.toFixed(2)}. Their disks have cost ${money.disks.toFixed(2)} so far. All snapshots cost
${money.snapshotsMonth.toFixed(2)} a month. ECI's automatic caches cost nothing up to 30 GiB.</p>`,
  );
}

function tile(figure: string, says: string): string {
  return `<li><strong>${escaped(figure)}</strong>${escaped(says)}</li>`;
}

function sharesSection(title: string, column: string, shares: readonly WarmShare[]): string {
  if (shares.length === 0) return `<h2>${title}</h2>\n<p>No pod was decided yet.</p>`;
  const key = `<p aria-hidden="true"><span class="key warm"></span>decided warm<span class="key cold"></span>not</p>`;
  const chart = bars(
    `${title}: pods that were decided warm, and the others`,
    shares.slice(0, MOST.bars).map(({ name, pods, decidedWarm }) => ({
      label: name,
      parts: [
        ['warm', decidedWarm],
        ['cold', pods - decidedWarm],
      ],
      says: `${share(decidedWarm, pods)} of ${count(pods)}`,
    })),
  );
  const rows = shares
    .slice(0, MOST.rows)
    .map(({ name, pods, decidedWarm, placed, startedWarm }) => [
      name,
      count(pods),
      count(decidedWarm),
      share(decidedWarm, pods),
      count(placed),
      share(startedWarm, placed),
    ]);
  const columns = [column, 'Pods', 'Decided warm', 'Share', 'Placed by ECI', 'Started from a cache'];
  return `<h2>${title}</h2>\n${key}\n${chart}\n${table(`${title}${rest(shares.length)}`, columns, rows)}`;
}

function rest(all: number): string {
  return all > MOST.rows ? `, the first ${MOST.rows} of ${count(all)}` : '';
}

function helpSection(caches: readonly PlannedCache[]): string {
  if (caches.length === 0) return '<h2>What would help</h2>\n<p>No pod lacks a cache.</p>';
  const each = caches.map(
    ({ images, pods, secondsSaved, manifest }) => `<details>
<summary>A cache for ${count(pods)} ${pods === 1 ? 'pod' : 'pods'}, each spared up to ${count(secondsSaved)} s: ${escaped(images.slice(0, 3).join(', '))}${images.length > 3 ? ` and ${images.length - 3} more` : ''}</summary>
<pre tabindex="0">${escaped(stringify(manifest))}</pre>
</details>`,
  );
  return `<h2>What would help</h2>\n<p>Ready for <code>kubectl apply</code>; <code>imc plan</code> plans for all workloads.</p>\n${each.join('\n')}`;
}

function unusedSection({ unused, madeAt }: Report): string {
  if (unused.length === 0) return '<h2>Caches that no pod uses now</h2>\n<p>None.</p>';
  const since = (time: string | null): string =>
    time === null ? '-' : formatAge(Date.parse(madeAt) - Date.parse(time));
  const rows = unused
    .slice(0, MOST.rows)
    .map(({ name, images, createdAt, lastUsedAt, monthCost }) => [
      name,
      images.slice(0, 3).join(', '),
      since(createdAt),
      since(lastUsedAt),
      monthCost.toFixed(2),
    ]);
  const columns = ['ImageCache*', 'Images*', 'Age', 'Last used', 'Costs a month'];
  return `<h2>Caches that no pod uses now</h2>\n${table(`Caches that no pod uses now${rest(unused.length)}`, columns, rows)}`;
}

function legacySection({ legacy }: Report): string {
  if (legacy.length === 0) return '<h2>Older annotation names</h2>\n<p>None.</p>';
  const rows = legacy
    .slice(0, MOST.rows)
    .map(({ namespace, workload, annotations }) => [namespace, workload, annotations.join(', ')]);
  return `<h2>Older annotation names</h2>\n${table(`Older annotation names${rest(legacy.length)}`, ['Namespace*', 'Workload*', 'Annotations*'], rows)}`;
}

function unansweredSection({ unanswered }: Report): string {
  const title = '<h2>Pods that went past the webhook</h2>';
  if (unanswered === null)
    return `${title}\n<p>Not known: the webhook configuration was not found, or may not be read.</p>`;
  if (unanswered.length === 0) return `${title}\n<p>None.</p>`;
  return `${title}\n<p>${escaped(unanswered.slice(0, MOST.rows).join(', '))}${rest(unanswered.length)}.</p>`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
