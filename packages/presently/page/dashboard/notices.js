/** What the node reports as it happens, kept and counted. Pure. */
import { LastMinute } from "./rates.js";

const KEPT_MAX = 200;

/** The groups that the feed can be narrowed to, in the order in which they are offered. */
export const GROUPS = [
  ["nodes", "Nodes"],
  ["links", "Links"],
  ["sync", "Sync"],
  ["refused", "Refused"],
  ["other", "Other"],
  ["actions", "Yours"],
];

const GROUP_OF = {
  "replica-up": "nodes",
  "replica-suspect": "nodes",
  "replica-down": "nodes",
  "replica-leaving": "nodes",
  "replica-evicted": "nodes",
  reincarnated: "nodes",
  "peer-linked": "links",
  "peer-unlinked": "links",
  linked: "links",
  unlinked: "links",
  "dial-failed": "links",
  "not-needed": "links",
  "resolve-failed": "links",
  resolved: "links",
  synced: "sync",
  "sync-progress": "sync",
  "pull-timeout": "sync",
  divergence: "sync",
  readded: "sync",
  refused: "refused",
  "refused-by-peer": "refused",
  "peer-refused": "refused",
  "http-connection-dropped": "refused",
  action: "actions",
};

/** The mesh tells of links too, and says more. */
const SAID_BETTER = { "peer-linked": "linked", "peer-unlinked": "unlinked" };

/** What the counts of the last minute are called. */
const COUNTED = { "replica-up": "ups", "replica-down": "downs", "replica-suspect": "suspicions" };

/**
 * @typedef {{ id: string, atMs: number, type: string, level: string, group: string, message: string, skipped: number }} Shown
 */

export class Notices {
  /** Oldest first. @type {Shown[]} */
  #kept = [];
  #number = 0;
  #actions = 0;
  #types = new Set();
  #counts = new Map();

  /**
   * Starts from what the node has kept.
   *
   * @param {{ number: number, nowMs: number, notices: any[] }} state
   * @param {number} wallMs  now, by the clock of this page: the node's own may differ
   */
  reset({ number, nowMs, notices }, wallMs) {
    this.#kept = this.#kept.filter(({ group }) => group === "actions");
    this.#counts.clear();
    this.#number = number;
    this.#aheadMs = nowMs - wallMs;
    for (const notice of notices) this.#take(notice);
    this.#kept.sort((a, b) => a.atMs - b.atMs);
  }
  #aheadMs = 0;

  /** Takes a further one. Answers false when one before it is missing: then only a new state helps. */
  apply(notice) {
    if (notice.number !== this.#number + 1) return false;
    this.#number = notice.number;
    this.#take(notice);
    return true;
  }

  /** What somebody did here belongs into the story, too. */
  did({ ok, message }, wallMs) {
    const id = `action ${++this.#actions}`;
    this.#keep({
      id,
      atMs: wallMs,
      type: "action",
      level: ok ? "info" : "error",
      message,
      group: "actions",
      skipped: 0,
    });
  }

  /** Newest first. @param {string | undefined} group  @returns {Shown[]} */
  list(group = undefined) {
    return this.#kept
      .filter(
        (each) => (group === undefined || each.group === group) && !this.#types.has(SAID_BETTER[each.type]),
      )
      .reverse();
  }

  /** In the last minute: of a group, or `ups`, `downs`, `suspicions`. */
  count(what, wallMs) {
    return this.#counts.get(what)?.count(wallMs) ?? 0;
  }

  #take({ number, atMs, type, level, message, skipped }) {
    this.#types.add(type);
    const group = GROUP_OF[type] ?? "other";
    const here = atMs - this.#aheadMs;
    this.#count(group, here, 1);
    if (skipped > 0) this.#count("other", here, skipped);
    if (COUNTED[type] !== undefined) this.#count(COUNTED[type], here, 1);
    this.#keep({ id: String(number), atMs: here, type, level, message, group, skipped });
  }

  #keep(shown) {
    this.#kept.push(shown);
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
  }

  #count(what, atMs, count) {
    const minute = this.#counts.get(what) ?? new LastMinute();
    minute.add(atMs, count);
    this.#counts.set(what, minute);
  }
}
