/** Repeats and compares measurements: by medians, and with contestants that take turns, because machines are noisy. */

export interface Row {
  readonly section: string;
  readonly what: string;
  readonly figure: number;
  readonly unit: string;
  /** The ratio of the figure to the figure that it is compared with. */
  readonly ratio?: number;
  /** What the ratio should be, or the figure if there is no ratio. */
  readonly goal?: Goal;
  readonly note?: string;
}

export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Lets contestants take turns, A B A B, and tells each the number of the round.
 * @returns for each contestant its results, round by round
 */
export async function takeTurns<T>(
  rounds: number,
  contestants: readonly ((round: number) => Promise<T> | T)[],
): Promise<T[][]> {
  const results: T[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, run] of contestants.entries()) results[i]!.push(await run(round));
  return results;
}

export function meets({ figure, ratio, goal }: Row): boolean | undefined {
  if (!goal) return undefined;
  const value = ratio ?? figure;
  return value >= (goal.atLeast ?? -Infinity) && value <= (goal.atMost ?? Infinity);
}

export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const { section, what, figure, unit, ratio, goal, note } = row;
    const wanted = goal ? (goal.atLeast === undefined ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`) : '';
    const met = meets(row);
    return [
      section,
      what,
      `${short(figure)} ${unit}`,
      ratio === undefined ? '' : ratio.toFixed(2),
      wanted,
      met === undefined ? '' : met ? 'met' : 'NOT MET',
      note ?? '',
    ];
  });
  const head = ['section', 'what', 'median', 'ratio', 'goal', '', ''];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  return [head, ...cells]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function short(figure: number): string {
  return Number.isInteger(figure) || Math.abs(figure) >= 100 ? figure.toFixed(0) : figure.toPrecision(3);
}
