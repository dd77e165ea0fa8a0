/**
 * A page of HTML that needs nothing else: no script, no request, light and dark, for a screen, for paper and for a screen
 * reader. Charts are SVG, and each has a table beside it that says the same.
 */
import { scaleLinear } from 'd3-scale';

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2733; --soft: #55636f; --line: #d8dee5; --paper: #fff; --panel: #f5f7f9; --warm: #1f6fb2; --part: #7fb2dd; --cold: #b9c2cc; --bad: #b5482a; --good: #2c7a4b }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --soft: #a3b0bd; --line: #36424e; --paper: #151b22; --panel: #1d2630; --warm: #6fb1ea; --part: #41759f; --cold: #55626f; --bad: #ef9a7b; --good: #7cc99b } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; color: var(--ink); background: var(--paper) }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
a { color: var(--warm) } .skip, caption { position: absolute; left: -100rem } .skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem }
:focus-visible { outline: 3px solid var(--warm); outline-offset: 2px }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line) } th { color: var(--soft); font-weight: 600 }
th:first-child, .text { text-align: left } td, tbody th { overflow-wrap: anywhere } thead th { white-space: nowrap } tbody th { font-weight: 400; color: var(--ink) }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none } .tiles li { background: var(--panel); border-radius: .5rem; padding: .8rem 1.2rem; min-width: 9rem }
.tiles strong { display: block; font-size: 1.6rem } .soft { color: var(--soft) }
svg { max-width: 100%; height: auto; display: block } svg text { font: 13px system-ui, sans-serif; fill: var(--ink) } svg .soft { fill: var(--soft) }
.warm { fill: var(--warm); background: var(--warm) } .part { fill: var(--part); background: var(--part) } .cold { fill: var(--cold); background: var(--cold) } .bad { fill: var(--bad); background: var(--bad) } .good { fill: var(--good); background: var(--good) } .grid { stroke: var(--line) }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .4em 0 1em; border-radius: .15em }
pre { background: var(--panel); padding: 1rem; overflow-x: auto; border-radius: .5rem; font-size: .85rem } summary { cursor: pointer; padding: .3rem 0 }
@media print { body { max-width: none; font-size: 11px } .key, .tiles li, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact } .scroll { overflow: visible } details::details-content { content-visibility: visible; block-size: auto } h2, tr, svg { break-inside: avoid } pre { white-space: pre-wrap } .skip { display: none } }
`;

/** @param body HTML */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<main id="main">
${body}
</main>
</body>
</html>
`;
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** @param columns headings; those with a star at the end hold text, the others numbers */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const kinds = columns.map((heading) => (heading.endsWith('*') ? ' class="text"' : ''));
  const head = columns
    .map((heading, i) => `<th scope="col"${kinds[i]}>${escaped(heading.replace(/\*$/, ''))}</th>`)
    .join('');
  const body = rows
    .map(
      ([first = '', ...others]) =>
        `<tr><th scope="row"${kinds[0]}>${escaped(first)}</th>${others.map((cell, i) => `<td${kinds[i + 1]}>${escaped(cell)}</td>`).join('')}</tr>`,
    )
    .join('\n');
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(caption)}">
<table><caption>${escaped(caption)}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}
</tbody></table>
</div>`;
}

export interface Bar {
  readonly label: string;
  /** From left to right: a class of the style, and a number. */
  readonly parts: readonly (readonly [string, number])[];
  /** At the end of the bar. */
  readonly says: string;
}

/** Of the charts, in pixels. */
const BAR = { width: 480, height: 20, step: 30, label: 300, end: 130, axis: 24 };
/** Characters of a label; the table has the whole of it. */
const LONGEST_LABEL = 42;

/** Horizontal bars with one axis. @param title what the chart shows, for a screen reader */
export function bars(title: string, all: readonly Bar[]): string {
  const most = Math.max(1, ...all.map(({ parts }) => parts.reduce((sum, [, value]) => sum + value, 0)));
  const scale = scaleLinear([0, most], [0, BAR.width]).nice(5);
  const height = all.length * BAR.step;
  const ticks = scale.ticks(5).map((tick) => {
    const x = (BAR.label + scale(tick)).toFixed(1);
    return `<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${height}"/><text class="soft" text-anchor="middle" x="${x}" y="${height + 16}">${tick.toLocaleString('en-US')}</text>`;
  });
  const rows = all.map(({ label, parts, says }, i) => {
    const y = i * BAR.step + 4;
    const text = y + BAR.height - 5;
    let x = BAR.label;
    const rects = parts.map(([kind, value]) => {
      const width = scale(value);
      const rect = `<rect class="${kind}" x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR.height}"/>`;
      x += width;
      return rect;
    });
    const short = label.length <= LONGEST_LABEL ? label : `…${label.slice(1 - LONGEST_LABEL)}`;
    return `<text text-anchor="end" x="${BAR.label - 8}" y="${text}">${escaped(short)}</text>${rects.join('')}<text class="soft" x="${(x + 6).toFixed(1)}" y="${text}">${escaped(says)}</text>`;
  });
  const width = BAR.label + BAR.width + BAR.end;
  return `<svg role="img" aria-label="${escaped(title)}" viewBox="0 0 ${width} ${height + BAR.axis}" width="${width}">${ticks.join('')}${rows.join('')}</svg>`;
}
