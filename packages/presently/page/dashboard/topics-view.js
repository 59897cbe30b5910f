/** The topics: searched by how they begin, ordered, a page at a time; the node never sends more than it shows. */
import { ago } from "../ago.js";
import { byId, element, reconcile, setAttribute, setText } from "../dom.js";
import { plural, short, whole } from "../numbers.js";
import { poll } from "../poll.js";
import { visible } from "../visible.js";
import { readAddress, writeAddress } from "./address.js";

const PAGE_SIZE = 25;
const INTERVAL_MS = 2_000;
/** The node looks at all its topics for a page: that may take a twentieth of its time, however many there are. */
const REST_FACTOR = 20;
const TYPING_MS = 150;
const SILENCE_MS = 6_000;

export class Topics {
  /** The last answer; undefined before the first one, and after another question was asked. */
  #page;
  #pageAtMs;
  #failure;
  #prefix;
  #sort;
  /** Where each page before this one began. @type {(string | undefined)[]} */
  #earlier = [];
  #cursor;
  #onChange;
  #ask;
  #typing;

  /**
   * @param {{ api: import("./api.js").Api, onChoose: (topic: string) => void, onChange: () => void,
   *   onRefused: (cause: unknown) => void }} options
   */
  constructor({ api, onChoose, onChange, onRefused }) {
    this.#onChange = onChange;
    this.onChoose = onChoose;
    ({ prefix: this.#prefix, sort: this.#sort } = readAddress());
    byId("topics-prefix").value = this.#prefix;
    byId("topics-sort").value = this.#sort;
    byId("topics-prefix").addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#search(), TYPING_MS);
    });
    byId("topics-sort").addEventListener("change", () => this.#search());
    byId("topics-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search();
    });
    byId("topics-next").addEventListener("click", () => {
      this.#earlier.push(this.#cursor);
      this.#turn(this.#page.nextCursor);
    });
    byId("topics-previous").addEventListener("click", () => this.#turn(this.#earlier.pop()));
    this.#ask = poll({
      read: (signal) => this.#read(api, signal),
      intervalMs: INTERVAL_MS,
      restFactor: REST_FACTOR,
      onAnswer: ({ question, page }) => {
        // Meanwhile something else may have been asked.
        if (question !== this.#question()) return;
        this.#page = page;
        this.#pageAtMs = performance.now();
        this.#failure = undefined;
        onChange();
      },
      onSilence: (_, cause) => {
        this.#failure = cause;
        onRefused(cause);
        onChange();
      },
    });
  }

  /** Asks at once. */
  refresh() {
    void this.#ask();
  }

  /** Topics and people of the whole node, or of the prefix that is searched for; undefined if that is not known now. */
  total(nowMs) {
    return this.#page !== undefined && nowMs - this.#pageAtMs < SILENCE_MS && this.#prefix === ""
      ? this.#page.total
      : undefined;
  }

  show(nowMs, chosen) {
    const page = this.#page;
    const stale = page !== undefined && this.#failure !== undefined && nowMs - this.#pageAtMs > SILENCE_MS;
    setAttribute(byId("topics"), "data-stale", stale);
    byId("topics-notice").hidden = this.#failure === undefined || (page !== undefined && !stale);
    if (this.#failure !== undefined) {
      const since = page === undefined ? "" : ` This is what it was ${ago(nowMs - this.#pageAtMs)}.`;
      setText(byId("topics-notice"), `The list cannot be read: ${this.#failure.message}.${since}`);
    }
    setText(byId("topics-total"), page === undefined ? "" : totalText(page.total, this.#prefix));
    const topics = page?.topics ?? [];
    reconcile(byId("topics"), topics, {
      key: ({ topic }) => topic,
      create: ({ topic }) => createRow(topic, () => this.onChoose(topic)),
      update: (row, topic) => updateRow(row, topic, topic.topic === chosen),
    });
    byId("topics-none").hidden = page === undefined || topics.length > 0;
    setText(
      byId("topics-none"),
      this.#prefix === "" ? "Nobody is present on any topic." : "No topic starts like that.",
    );
    byId("topics-previous").disabled = this.#earlier.length === 0;
    byId("topics-next").disabled = !page?.nextCursor;
    const pages = page === undefined ? 0 : Math.max(1, Math.ceil(page.total.topics / PAGE_SIZE));
    setText(
      byId("topics-page"),
      page === undefined ? "" : `page ${whole(this.#earlier.length + 1)} of ${whole(pages)}`,
    );
    byId("topics-page").parentElement.hidden = pages <= 1 && this.#earlier.length === 0;
  }

  async #read(api, signal) {
    const question = this.#question();
    return { question, page: await api.get(`/api/topics?${question}`, signal) };
  }

  #question() {
    const query = {
      prefix: this.#prefix,
      sort: this.#sort,
      limit: String(PAGE_SIZE),
      cursor: this.#cursor ?? "",
    };
    return new URLSearchParams(query).toString();
  }

  #search() {
    clearTimeout(this.#typing);
    const [prefix, sort] = [byId("topics-prefix").value, byId("topics-sort").value];
    if (prefix === this.#prefix && sort === this.#sort) return;
    [this.#prefix, this.#sort, this.#earlier] = [prefix, sort, []];
    writeAddress({ prefix, sort: sort === "keys" ? undefined : sort });
    this.#turn(undefined);
  }

  #turn(cursor) {
    this.#cursor = cursor;
    this.#page = undefined;
    this.refresh();
    this.#onChange();
  }
}

function totalText({ topics, keys, entries }, prefix) {
  const which = prefix === "" ? "" : " start like that";
  return `${plural(topics, "topic")}${which} · ${plural(keys, "key")} · ${plural(entries, "entry", "entries")}`;
}

function createRow(topic, choose) {
  return element(
    "li",
    {},
    element(
      "button",
      { type: "button", onclick: choose },
      element("bdi", { class: "name" }, visible(topic)),
      element(
        "span",
        { class: "topic-count" },
        element("span"),
        element("span", { class: "visually-hidden" }, " people"),
      ),
    ),
  );
}

function updateRow(row, { keys, entries }, chosen) {
  const button = row.firstElementChild;
  setAttribute(button, "aria-current", chosen && "true");
  setAttribute(
    button,
    "title",
    `${plural(keys, "person", "people")}, ${plural(entries, "entry", "entries")}`,
  );
  setText(button.lastElementChild.firstElementChild, short(keys));
}
