/** Line charts as SVG: plain enough to be read in a README, light or dark, without a script or a font of their own. */
import { showNumber } from "./rounds.ts";

/** One axis. A logarithmic one takes positive values only. */
export interface Axis {
  /** What it shows, with its unit. */
  readonly label: string;
  readonly log?: boolean;
  /** Where it begins and ends; the least and the greatest value by default. */
  readonly from?: number;
  readonly to?: number;
}

/** One line, drawn from point to point in the given order. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Whether the points are marked; they are by default where there are at most 30. */
  readonly marked?: boolean;
}

export interface Chart {
  readonly title: string;
  /** A line under the title: machine, workload. */
  readonly subtitle?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** Eight colours that remain apart for the colour-blind, and on white as on black (Okabe and Ito, black made grey). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f"];
const WIDTH = 760;
const PLOT = { left: 72, top: 58, width: 480, height: 290 };
const MARKED_MAX = 30;

/**
 * Gives the picture as SVG.
 *
 * @throws RangeError if there is nothing to draw, or a logarithmic axis is given a value that is not positive
 */
export function lineChart({ title, subtitle, x, y, series }: Chart): string {
  const across = scaleOf(
    x,
    series.flatMap(({ points }) => points.map(([value]) => value)),
  );
  const up = scaleOf(
    y,
    series.flatMap(({ points }) => points.map(([, value]) => value)),
  );
  const left = (value: number) => round(PLOT.left + across.at(value) * PLOT.width);
  const top = (value: number) => round(PLOT.top + (1 - up.at(value)) * PLOT.height);
  const [right, bottom] = [PLOT.left + PLOT.width, PLOT.top + PLOT.height];
  const legendTop = PLOT.top + 6;
  const height = Math.max(bottom + 52, legendTop + series.length * 20 + 12);

  const parts = [
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(PLOT.left, 24, title, `font-size="15" font-weight="600"`),
    ...(subtitle === undefined ? [] : [text(PLOT.left, 43, subtitle, `fill="#666666"`)]),
  ];
  for (const value of up.ticks) {
    parts.push(`<path d="M${PLOT.left} ${top(value)}H${right}" stroke="#e5e5e5"/>`);
    parts.push(text(PLOT.left - 8, top(value) + 4, showNumber(value), `text-anchor="end" fill="#666666"`));
  }
  for (const value of across.ticks) {
    parts.push(`<path d="M${left(value)} ${PLOT.top}V${bottom}" stroke="#f0f0f0"/>`);
    parts.push(text(left(value), bottom + 18, showNumber(value), `text-anchor="middle" fill="#666666"`));
  }
  parts.push(`<path d="M${PLOT.left} ${PLOT.top}V${bottom}H${right}" fill="none" stroke="#999999"/>`);
  parts.push(text(PLOT.left + PLOT.width / 2, bottom + 40, x.label, `text-anchor="middle"`));
  parts.push(
    `<g transform="rotate(-90 18 ${PLOT.top + PLOT.height / 2})">${text(18, PLOT.top + PLOT.height / 2, y.label, `text-anchor="middle"`)}</g>`,
  );
  for (const [index, { name, points, marked = points.length <= MARKED_MAX }] of series.entries()) {
    const colour = COLOURS[index % COLOURS.length]!;
    // Beyond the colours that there are, the line is dashed.
    const dash = index < COLOURS.length ? "" : ` stroke-dasharray="5 3"`;
    const path = points.map(([px, py], at) => `${at === 0 ? "M" : "L"}${left(px)} ${top(py)}`).join("");
    parts.push(`<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`);
    if (marked)
      for (const [px, py] of points)
        parts.push(`<circle cx="${left(px)}" cy="${top(py)}" r="3" fill="${colour}"/>`);
    const row = legendTop + index * 20;
    parts.push(`<path d="M${right + 16} ${row}h18" stroke="${colour}" stroke-width="2"${dash}/>`);
    parts.push(text(right + 40, row + 4, name));
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

interface Scale {
  /** Where a value stands, 0 at the beginning of the axis and 1 at its end; outside of it, the nearer of the two. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

function scaleOf(axis: Axis, values: readonly number[]): Scale {
  const { log = false } = axis;
  const given = [...values, ...[axis.from, axis.to].filter((end) => end !== undefined)];
  if (values.length === 0) throw new RangeError(`nothing to draw along "${axis.label}"`);
  if (given.some((value) => !Number.isFinite(value) || (log && value <= 0)))
    throw new RangeError(`"${axis.label}" cannot show all of its values`);
  const of = (value: number) => (log ? Math.log10(value) : value);
  let from = of(axis.from ?? values.reduce((least, value) => Math.min(least, value)));
  let to = of(axis.to ?? values.reduce((most, value) => Math.max(most, value)));
  if (!log && axis.from === undefined && from > 0) from = 0;
  if (from === to) [from, to] = [from - 1, to + 1];
  return {
    at: (value) => Math.min(1, Math.max(0, (of(value) - from) / (to - from))),
    ticks: log ? decades(from, to) : evenSteps(from, to),
  };
}

/** Powers of ten and, where those are few, 2 and 5 times them. */
function decades(from: number, to: number): number[] {
  const factors = to - from > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(from); power <= Math.ceil(to); power++)
    for (const factor of factors) {
      const exponent = power + Math.log10(factor);
      if (exponent >= from - 1e-9 && exponent <= to + 1e-9) ticks.push(factor * 10 ** power);
    }
  return ticks;
}

/** Four to eight round steps. */
function evenSteps(from: number, to: number): number[] {
  const rough = (to - from) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let index = Math.ceil(from / step - 1e-9); index * step <= to + step * 1e-9; index++)
    ticks.push(index * step);
  return ticks;
}

function text(x: number, y: number, words: string, attributes = ""): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
