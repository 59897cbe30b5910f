/** The event feed: what the node reports as it happens, by group. */
import { byId, element, reconcile, setAttribute, setText } from "../dom.js";
import { plural, whole } from "../numbers.js";
import { TopicStream } from "../topic-stream.js";
import { visible } from "../visible.js";
import { GROUPS, Notices } from "./notices.js";

const SHOWN_MAX = 100;

export class Feed {
  notices = new Notices();
  #api;
  #onChange;
  #onRefused;
  #stream;
  /** @type {import("../topic-stream.js").StreamStatus} */
  #status = { kind: "connecting" };
  #lostAtMs;
  #group;

  /**
   * @param {{ api: import("./api.js").Api, onChange: () => void, onRefused: (refusal: { message: string, status: number, code: string }) => void }} options
   */
  constructor({ api, onChange, onRefused }) {
    this.#api = api;
    this.#onChange = onChange;
    this.#onRefused = onRefused;
    // It scrolls, which a keyboard can make it do only if it can be reached; not every browser sees to that.
    byId("events").tabIndex = 0;
    byId("groups").append(
      ...[[undefined, "All"], ...GROUPS].map(([group, label]) =>
        element(
          "button",
          { type: "button", "data-group": group ?? "all", onclick: () => this.#choose(group) },
          label,
          element("span", { class: "chip-count" }),
        ),
      ),
    );
  }

  /** Begins, or begins again with another token. */
  open() {
    this.#stream?.close();
    this.#stream = new TopicStream(
      this.#api.streamUrl("/api/cluster/notices"),
      {
        onState: (state) => {
          this.notices.reset(state, Date.now());
          this.#lostAtMs = undefined;
          this.#onChange();
        },
        onDiff: (notice) => {
          const followed = this.notices.apply(notice);
          this.#onChange();
          return followed;
        },
        onStatus: (status) => {
          this.#status = status;
          if (status.kind === "waiting") this.#lostAtMs ??= Date.now();
          if (status.kind === "refused") this.#onRefused(status);
          this.#onChange();
        },
      },
      "notice",
    );
  }

  retryNow() {
    this.#stream?.retryNow();
  }

  /** Ends the stream, until `open`. */
  close() {
    this.#stream?.close();
    this.#lostAtMs ??= Date.now();
  }

  show(wallMs, silent) {
    setText(byId("feed-state"), this.#stateText(wallMs, silent));
    for (const button of byId("groups").querySelectorAll("button")) {
      const { group } = button.dataset;
      setAttribute(button, "aria-pressed", String(group === (this.#group ?? "all")));
      const count = group === "all" || group === "actions" ? 0 : this.notices.count(group, wallMs);
      setText(button.lastElementChild, count > 0 ? ` ${whole(count)}` : "");
      setAttribute(button, "title", count > 0 ? `${plural(count, "event")} in the last minute` : undefined);
    }
    const shown = this.notices.list(this.#group).slice(0, SHOWN_MAX);
    reconcile(byId("events"), shown, { key: ({ id }) => id, create: createRow, update: () => undefined });
    byId("events-none").hidden = shown.length > 0;
  }

  #choose(group) {
    this.#group = group;
    this.#onChange();
  }

  #stateText(wallMs, silent) {
    const { kind } = this.#status;
    if (kind === "refused") return "refused";
    if (this.#lostAtMs !== undefined) return `none since ${timeOf(this.#lostAtMs)}: reconnecting…`;
    if (kind === "connecting") return "connecting…";
    if (silent) return "nothing comes: the node is silent";
    const { notices } = this;
    const parts = [
      [notices.count("ups", wallMs), "up"],
      [notices.count("downs", wallMs), "down"],
      [notices.count("suspicions", wallMs), "suspected"],
    ].filter(([count]) => count > 0);
    if (parts.length === 0) return "live";
    return `last minute: ${parts.map(([count, word]) => `${whole(count)} ${word}`).join(", ")}`;
  }
}

function createRow({ atMs, group, level, type, message, skipped }) {
  const text = element("span", { class: "event-text" }, element("bdi", {}, visible(message)));
  if (skipped > 0) {
    text.append(
      element(
        "span",
        { class: "muted" },
        ` (${plural(skipped, "event")} before it came too fast to be shown)`,
      ),
    );
  }
  return element(
    "li",
    { "data-group": group, "data-level": level, "data-type": type },
    element("time", { datetime: new Date(atMs).toISOString() }, timeOf(atMs)),
    element("span", { class: "lamp", "aria-hidden": "true" }),
    text,
  );
}

/** As the clock on the wall shows it; 24 hours, as logs have it. */
export function timeOf(atMs) {
  return new Date(atMs).toLocaleTimeString("en-GB");
}
