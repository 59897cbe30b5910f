/**
 * A small curve of what a number was of late. Drawn by these few lines and by no library: it is one path without axes, and
 * libraries of charts bring more code than the whole page has, and styles that the Content-Security-Policy forbids.
 */
import { element, setAttribute, shape } from "../dom.js";

const WIDTH = 120;
const HEIGHT = 28;
/** Two points that are further apart have a gap between them: nobody knows what was there. */
const GAP_MS = 5_000;

/** An empty one. */
export function sparkline() {
  const svg = shape(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
    shape("path", { class: "spark-area" }),
    shape("path", { class: "spark-line" }),
  );
  return element("span", { class: "spark-box" }, svg);
}

/**
 * @param {Element} box  as `sparkline` made it
 * @param {{ history: import("./rates.js").History, nowMs: number, what: string, format: (value: number) => string }} of
 */
export function drawSparkline(box, { history, nowMs, what, format }) {
  const svg = box.firstElementChild;
  const values = history.points.map(({ value }) => value).filter((value) => value !== undefined);
  const most = Math.max(1e-9, ...values);
  const runs = runsOf(history.points).map((run) =>
    run.map(({ atMs, value }) => [
      WIDTH * (1 - (nowMs - atMs) / history.spanMs),
      HEIGHT - 2 - (HEIGHT - 5) * (value / most),
    ]),
  );
  setAttribute(svg.firstElementChild, "d", runs.map(areaOf).join(""));
  setAttribute(svg.lastElementChild, "d", runs.map(lineOf).join(""));
  const minutes = Math.round(history.spanMs / 60_000);
  const range = values.length === 0 ? "not known yet" : `${format(Math.min(...values))} to ${format(most)}`;
  setAttribute(svg, "aria-label", `${what}, last ${minutes} minutes: ${range}`);
}

/** Stretches without a gap. */
export function runsOf(points) {
  const runs = [];
  let run = [];
  for (const point of points) {
    const last = run.at(-1);
    if (point.value === undefined || (last !== undefined && point.atMs - last.atMs > GAP_MS)) {
      if (run.length > 0) runs.push(run);
      run = [];
    }
    if (point.value !== undefined) run.push(point);
  }
  if (run.length > 0) runs.push(run);
  return runs;
}

function lineOf(run) {
  return `M${run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
}

function areaOf(run) {
  return `${lineOf(run)}L${run.at(-1)[0].toFixed(1)} ${HEIGHT}L${run[0][0].toFixed(1)} ${HEIGHT}Z`;
}
