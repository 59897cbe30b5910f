/** One topic: who is present on it, by its event stream. */
import { lasting } from "../ago.js";
import { byId, setAttribute, setText } from "../dom.js";
import { plural, short, whole } from "../numbers.js";
import { Roster } from "../roster.js";
import { TopicStream } from "../topic-stream.js";
import { visible } from "../visible.js";
import { writeAddress } from "./address.js";
import { showRoster } from "./roster-view.js";
import { Tiles } from "./tiles.js";
import { TopicTraffic } from "./topic-traffic.js";

/** A topic with more is counted, not listed: its state alone would be megabytes, for the node as for this page. */
const ENTRIES_MAX = 20_000;
const TIMEOUT_MS = 2_500;

const STATES = {
  connecting: "connecting…",
  live: "live",
  waiting: "reconnecting…",
  silent: "silent",
  refused: "refused",
  large: "not listed",
};

export class TopicView {
  /** @type {string | undefined} */
  topic;
  #api;
  #onChange;
  #onRefused;
  #onKick;
  #roster = new Roster();
  #traffic = new TopicTraffic();
  #tiles = new Tiles("topic-tiles");
  #stream;
  #status = { kind: "connecting" };
  /** Whether a state has come, and since when there are no changes any more. */
  #known = false;
  #lostAtMs;
  #filter = "";
  /** Entries of a topic that is too large to be listed. @type {number | undefined} */
  #tooMany;
  /** Of whom the list is, computed when it is asked for. @type {import("../roster.js").Person[] | undefined} */
  #people;
  #attempt = 0;

  /**
   * @param {{ api: import("./api.js").Api, onChange: () => void, onKick: (person: { topic: string, key: string,
   *   connections: number }) => void, onRefused: (refusal: { message: string, status: number, code: string }) => void }} options
   */
  constructor({ api, onChange, onKick, onRefused }) {
    this.#api = api;
    this.#onChange = onChange;
    this.#onRefused = onRefused;
    this.#onKick = onKick;
    byId("people-filter").addEventListener("input", ({ currentTarget }) => {
      this.#filter = currentTarget.value.toLocaleLowerCase();
      onChange();
    });
  }

  /** Shows another topic. */
  choose(topic) {
    this.topic = topic;
    this.#known = false;
    this.#lostAtMs = undefined;
    this.#roster = new Roster();
    this.#people = undefined;
    this.#traffic = new TopicTraffic();
    this.#tiles.clear();
    this.#filter = "";
    byId("people-filter").value = "";
    byId("people").replaceChildren();
    writeAddress({ topic });
    this.open();
  }

  /** Begins to listen, or begins again with another token. */
  open() {
    this.#stream?.close();
    this.#stream = undefined;
    this.#tooMany = undefined;
    this.#status = { kind: "connecting" };
    if (this.topic !== undefined) void this.#begin(this.topic, ++this.#attempt);
    this.#onChange();
  }

  async #begin(topic, attempt) {
    const entries = await this.#entriesOn(topic);
    if (attempt !== this.#attempt) return;
    if (entries > ENTRIES_MAX) this.#giveUp(entries);
    else this.#listen(topic);
  }

  /** How large it is; 0 if that cannot be found out, for which the stream will say why. */
  async #entriesOn(topic) {
    try {
      const query = new URLSearchParams({ prefix: topic, limit: "1" });
      const { topics } = await this.#api.get(`/api/topics?${query}`, AbortSignal.timeout(TIMEOUT_MS));
      return topics[0]?.topic === topic ? topics[0].entries : 0;
    } catch {
      return 0;
    }
  }

  #giveUp(entries) {
    this.#stream?.close();
    this.#roster = new Roster();
    this.#people = undefined;
    this.#known = false;
    this.#tooMany = entries;
    this.#onChange();
  }

  #listen(topic) {
    const url = this.#api.streamUrl(`/api/topics/${encodeURIComponent(topic)}/events`);
    this.#stream = new TopicStream(url, {
      onState: (state) => {
        this.#roster.reset(state);
        this.#people = undefined;
        this.#known = true;
        this.#lostAtMs = undefined;
        this.#onChange();
      },
      onDiff: (diff) => {
        const followed = this.#roster.apply(diff) !== undefined;
        if (followed) this.#traffic.add(diff, performance.now());
        this.#people = undefined;
        // Twice as many, so that one that hovers about the bound is not opened and closed all the time.
        if (this.#roster.entries > 2 * ENTRIES_MAX) this.#giveUp(this.#roster.entries);
        this.#onChange();
        return followed;
      },
      onStatus: (status) => {
        this.#status = status;
        if (status.kind === "waiting" || status.kind === "refused") this.#lostAtMs ??= performance.now();
        if (status.kind === "refused") this.#onRefused(status);
        this.#onChange();
      },
    });
  }

  retryNow() {
    this.#stream?.retryNow();
  }

  /** Ends the stream, until `open`; what is shown is not fresh from now on. */
  close() {
    this.#attempt++;
    this.#stream?.close();
    this.#lostAtMs ??= performance.now();
  }

  /** Remembers the numbers for the curves; once a second. */
  record(nowMs, silent) {
    if (this.topic !== undefined) this.#tiles.record(this.#numbers(nowMs, this.#everybody(), silent), nowMs);
  }

  /** @param {boolean} silent  whether the node has stopped answering, though the stream may still be open */
  show(nowMs, silent) {
    const { topic } = this;
    byId("topic-body").hidden = topic === undefined;
    byId("topic-stream").hidden = topic === undefined;
    if (topic === undefined) return;
    const state = this.#stateOf(silent);
    setText(byId("topic-name"), visible(topic));
    setAttribute(byId("topic-stream"), "data-state", state);
    setText(byId("topic-stream-text"), STATES[state]);
    const lost = state === "large" || this.#lostAtMs !== undefined || state === "silent";
    setAttribute(byId("topic"), "data-stale", lost);
    byId("topic-notice").hidden = !lost;
    setText(byId("topic-notice"), this.#noticeText(state, nowMs));
    const people = this.#everybody();
    setText(byId("topic-counts"), this.#known ? countText(people, this.#roster.entries) : "");
    this.#tiles.show(this.#numbers(nowMs, people, silent), nowMs);
    showRoster(people, {
      filter: this.#filter,
      known: this.#known,
      onRemove: (person) => this.#onKick({ topic: this.topic, ...person }),
    });
  }

  #stateOf(silent) {
    if (this.#tooMany !== undefined) return "large";
    return this.#status.kind === "live" && silent ? "silent" : this.#status.kind;
  }

  #everybody() {
    this.#people ??= this.#roster.people();
    return this.#people;
  }

  #numbers(nowMs, people, silent) {
    const fresh = this.#known && this.#lostAtMs === undefined && !silent;
    const { joins, leaves, updates } = this.#traffic.perMinute(nowMs);
    return [
      {
        ...{ name: "People", what: "People on this topic", format: whole },
        value: fresh ? people.length : undefined,
      },
      {
        ...{ name: "Changes a minute", what: "Joins, leaves and updates a minute", format: short },
        value: fresh ? joins + leaves + updates : undefined,
        detail: fresh ? `${plural(joins, "join")}, ${plural(leaves, "leave")}` : undefined,
      },
    ];
  }

  #noticeText(state, nowMs) {
    if (state === "large")
      return `${plural(this.#tooMany, "entry", "entries")} are more than this page lists: the API and "presently list" do.`;
    const shown = this.#known ? " This is who was here before." : "";
    if (this.#status.kind === "refused") return `The node refuses to tell: ${this.#status.message}.${shown}`;
    if (state === "silent") return `The connection is open and nothing comes.${shown}`;
    return `No news for ${lasting(nowMs - (this.#lostAtMs ?? nowMs))}.${shown} Trying again.`;
  }
}

function countText(people, entries) {
  const nodes = new Set(people.flatMap(({ connections }) => connections.map(({ node }) => node)));
  return [
    plural(people.length, "person", "people"),
    plural(entries, "connection"),
    plural(nodes.size, "node"),
  ].join(" · ");
}
