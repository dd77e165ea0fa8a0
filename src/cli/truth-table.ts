/** Formats what became of pods, for `imc status`. */
import { formatSeconds } from '../core/kubernetes/time.ts';
import type { PullTotals } from '../core/truth/survey.ts';
import type { GroundTruth } from '../runtime/ground-truth.ts';
import { alignColumns } from './columns.ts';

/** Rows of each table; -o json has all. */
const MOST_ROWS = 10;

/** @param known the IDs of the caches that are listed already @returns sections; none if nothing is known of any pod */
export function formatTruth(truth: GroundTruth, known: ReadonlySet<string | null>): string[] {
  const { results, warm, cold, images, caches, unanswered } = truth;
  const { right, wrong, eci, unpredicted } = results;
  const placed = right + wrong + eci + unpredicted;
  const sections: string[] = [];
  if (placed > 0) {
    sections.push(
      `Pods that ECI started: ${placed}. Prediction right ${right}, wrong ${wrong}; ECI's own choice ${eci}; no decision and no cache ${unpredicted}.`,
    );
  }
  if (images.length > 0) {
    const rows = images
      .slice(0, MOST_ROWS)
      .map((each) => [each.image, describe(each.warm), describe(each.cold)]);
    sections.push(
      `Pulling, of pods that started from a cache: ${describe(warm)}; of the others: ${describe(cold)}.`,
      table(['IMAGE', 'WARM', 'COLD'], rows, images.length),
    );
  }
  const learned = caches.filter(({ id }) => !known.has(id));
  if (learned.length > 0) {
    const rows = learned
      .slice(0, MOST_ROWS)
      .map(({ id, pods, images: held }) => [id, `${pods}`, held.join(', ') || 'not known']);
    sections.push(table(['KNOWN FROM PODS ALONE', 'PODS', 'HOLDS AT LEAST'], rows, learned.length));
  }
  if (unanswered && unanswered.length > 0) {
    const more = unanswered.length > MOST_ROWS ? `, and ${unanswered.length - MOST_ROWS} more` : '';
    sections.push(
      `Pods that no replica of the webhook answered: ${unanswered.slice(0, MOST_ROWS).join(', ')}${more}.`,
    );
  }
  return sections;
}

/** `12 present, 3 pulled in 5.1 s each` */
function describe({ present, pulled, seconds }: PullTotals): string {
  if (present + pulled === 0) return '-';
  const took = pulled === 0 ? '' : `, ${pulled} pulled in ${formatSeconds(seconds / pulled)} each`;
  return `${present} present${took}`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[], all: number): string {
  const more = all > rows.length ? [`… and ${all - rows.length} more`] : [];
  return [...alignColumns([header, ...rows]), ...more].join('\n');
}
