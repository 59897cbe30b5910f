/** Numbers with a name, each with what it was of late. */
import { byId, element, reconcile, setAttribute, setText } from "../dom.js";
import { History } from "./rates.js";
import { drawSparkline, sparkline } from "./sparkline.js";

/**
 * @typedef {{ name: string, what: string, value: number | undefined, format: (value: number) => string,
 *   detail?: string }} Tile  `what` says in words what the number is; an `undefined` value is not known
 */

export class Tiles {
  #list;
  /** @type {Map<string, History>} */
  #histories = new Map();

  /** @param {string} id */
  constructor(id) {
    this.#list = byId(id);
  }

  /** Remembers the values for the curves. @param {Tile[]} tiles */
  record(tiles, nowMs) {
    for (const { name, value } of tiles) {
      const history = this.#histories.get(name) ?? new History();
      history.add(nowMs, value);
      this.#histories.set(name, history);
    }
  }

  /** Starts again. */
  clear() {
    this.#histories.clear();
  }

  /** @param {Tile[]} tiles */
  show(tiles, nowMs) {
    reconcile(this.#list, tiles, {
      key: ({ name }) => name,
      create: ({ name }) =>
        element(
          "div",
          { class: "tile", "data-tile": name },
          element("dt", {}, name),
          element(
            "dd",
            {},
            element("span", { class: "tile-value" }),
            element("span", { class: "tile-detail" }),
            sparkline(),
          ),
        ),
      update: (tile, { what, value, format, detail, name }) => {
        const [number, more, curve] = tile.lastElementChild.children;
        setText(number, value === undefined ? "–" : format(value));
        setAttribute(number, "title", value === undefined ? "not known" : what);
        setText(more, value === undefined ? "" : (detail ?? ""));
        const history = this.#histories.get(name);
        if (history !== undefined) drawSparkline(curve, { history, nowMs, what, format });
      },
    });
  }
}
