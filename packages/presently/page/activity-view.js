/** What happened in the room since this page came, newest first. */
import { ago } from "./ago.js";
import { avatar } from "./avatar.js";
import { element, reconcile, setText } from "./dom.js";
import { visible } from "./visible.js";

const HAPPENINGS_MAX = 40;

/** Remembers the latest happenings and shows them. */
export class Activity {
  #list;
  #count = 0;
  /** @type {{ id: string, atMs: number, kind: string, key?: string, name: string, text: string }[]} */
  #happenings = [];

  /** @param {Element} list */
  constructor(list) {
    this.#list = list;
  }

  /** @param {readonly { kind: string, key?: string, name: string, text: string }[]} happenings  oldest first */
  add(happenings) {
    const stamped = happenings.map((each) => ({ ...each, id: String(++this.#count), atMs: Date.now() }));
    this.#happenings = [...stamped.reverse(), ...this.#happenings].slice(0, HAPPENINGS_MAX);
  }

  clear() {
    this.#happenings = [];
  }

  show() {
    reconcile(this.#list, this.#happenings, { key: ({ id }) => id, create: createRow, update: updateRow });
  }
}

function createRow({ kind, key, name, text }) {
  return element(
    "li",
    { "data-kind": kind },
    key === undefined
      ? element("span", { class: "avatar small plain", "aria-hidden": "true" })
      : avatar(key, "avatar small"),
    element("span", { class: "happening" }, element("bdi", {}, visible(name)), ` ${text}`),
    element("span", { class: "when" }),
  );
}

/** In minutes and more: what counted seconds would be drawn again each second. */
function updateRow(row, { atMs }) {
  const elapsedMs = Date.now() - atMs;
  setText(row.lastElementChild, elapsedMs < 60_000 ? "just now" : ago(elapsedMs));
}
