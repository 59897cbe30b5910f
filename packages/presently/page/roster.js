/**
 * Who is here, kept from a state and the numbered diffs after it. Knows nothing of the network or of the page.
 *
 * An entry, as the API sends it: `{ ref, previousRef?, node, meta }`, in diffs with its `key`. Keys, refs and metas are
 * other people's words: they are kept in maps, never as property names, and every field of a meta is checked before use.
 */

/**
 * @typedef {{ key: string, ref: string, node: string, meta: Record<string, unknown> }} Entry
 * @typedef {{ ref: string, node: string, device: string | undefined, sinceMs: number | undefined }} Connection
 * @typedef {{ key: string, name: string, sinceMs: number | undefined, connections: Connection[] }} Person
 * @typedef {{ kind: string, key: string, name: string, text: string }} Happening
 * @typedef {{ key: string, before: Entry[], after: Entry[] }} Change
 */

export class Roster {
  /** @type {Map<string, Map<string, Entry>>} entries by ref, by key */
  #keys = new Map();
  #number = 0;

  /** Entries, that is connections, of everybody. */
  get entries() {
    let entries = 0;
    for (const refs of this.#keys.values()) entries += refs.size;
    return entries;
  }

  /** Starts again from a state. */
  reset({ number, presences }) {
    this.#number = number;
    this.#keys = new Map(
      Object.entries(presences).map(([key, { metas }]) => [
        key,
        new Map(metas.map((entry) => [entry.ref, { ...entry, key }])),
      ]),
    );
  }

  /**
   * Takes a diff. Gives what to say about it, or undefined when a diff before it is missing: then nothing was changed,
   * and only a new state helps.
   *
   * @returns {Happening[] | undefined}
   */
  apply({ number, joins, leaves, updates }) {
    if (number !== this.#number + 1) return undefined;
    this.#number = number;
    const before = new Map();
    const touch = (key) => before.has(key) || before.set(key, [...(this.#keys.get(key)?.values() ?? [])]);
    for (const entry of [...leaves, ...joins, ...updates.map(({ after }) => after)]) touch(entry.key);
    for (const entry of leaves) this.#delete(entry);
    for (const entry of joins) this.#set(entry);
    for (const { before: old, after } of updates) {
      this.#delete(old);
      this.#set(after);
    }
    const reasons = new Map(leaves.map(({ key, reason }) => [key, reason]));
    const updated = new Set(updates.map(({ after }) => after.key));
    return [...before].flatMap(([key, entries]) =>
      happeningsOf(key, entries, this.#entriesOf(key), reasons.get(key), updated.has(key)),
    );
  }

  /**
   * Takes everybody who is here now, from whoever keeps the list. Gives the keys that changed, for `describeChanges`.
   *
   * @param {readonly (readonly [key: string, entries: readonly Entry[]])[]} list
   * @returns {Change[]}
   */
  follow(list) {
    const before = this.#keys;
    this.#keys = new Map(
      list.map(([key, entries]) => [key, new Map(entries.map((entry) => [entry.ref, entry]))]),
    );
    return [...new Set([...before.keys(), ...this.#keys.keys()])]
      .map((key) => ({ key, before: [...(before.get(key)?.values() ?? [])], after: this.#entriesOf(key) }))
      .filter((change) => !haveSameRefs(change.before, change.after));
  }

  /** Everybody, whoever has been here longest first. @returns {Person[]} */
  people() {
    const people = [...this.#keys].map(([key, refs]) => personOf(key, [...refs.values()]));
    return people.sort(byArrival);
  }

  #entriesOf(key) {
    return [...(this.#keys.get(key)?.values() ?? [])];
  }

  #set(entry) {
    const refs = this.#keys.get(entry.key);
    if (refs === undefined) this.#keys.set(entry.key, new Map([[entry.ref, entry]]));
    else refs.set(entry.ref, entry);
  }

  #delete({ key, ref }) {
    const refs = this.#keys.get(key);
    refs?.delete(ref);
    if (refs?.size === 0) this.#keys.delete(key);
  }
}

/**
 * What to say about changes of a list that does not say itself why somebody left.
 *
 * @param {readonly Change[]} changes
 * @param {(entry: Entry) => string} reasonOf
 * @returns {Happening[]}
 */
export function describeChanges(changes, reasonOf) {
  return changes.flatMap(({ key, before, after }) => {
    const gone = before.filter((entry) => !after.some(({ ref }) => ref === entry.ref));
    const updated = after.some(({ previousRef }) => gone.some(({ ref }) => ref === previousRef));
    return happeningsOf(key, before, after, gone[0] && reasonOf(gone[0]), updated);
  });
}

function haveSameRefs(before, after) {
  return (
    before.length === after.length && before.every(({ ref }) => after.some((entry) => entry.ref === ref))
  );
}

const GONE = {
  left: () => "left",
  lost: (nodes) => `lost with ${nodes}`,
  evicted: (nodes) => `forgotten with ${nodes}`,
  removed: () => "was removed",
};

/** One sentence for each key that a diff changed, from who it was before to who it is after. */
function happeningsOf(key, before, after, reason, updated) {
  const name = nameOf(key, after.length > 0 ? after : before);
  const say = (kind, text) => [{ kind, key, name, text }];
  if (before.length === 0) return say("join", `joined via ${nodesOf(after)}`);
  const gone = before.filter((entry) => !after.some(({ ref }) => ref === entry.ref));
  if (after.length === 0) return say("leave", (GONE[reason] ?? GONE.left)(nodesOf(gone)));
  if (after.length > before.length)
    return say("join", `opened connection ${after.length}, via ${nodesOf(added(before, after))}`);
  if (after.length < before.length)
    return say("leave", `has ${after.length} of ${before.length} connections left`);
  if (updated) return say("update", "updated");
  const [from, to] = [nodesOf(before), nodesOf(after)];
  return say("update", from === to ? "connected again" : `moved from ${from} to ${to}`);
}

function added(before, after) {
  return after.filter((entry) => !before.some(({ ref }) => ref === entry.ref));
}

function nodesOf(entries) {
  return [...new Set(entries.map(({ node }) => node))].sort().join(", ");
}

/** What the latest entry calls the person; the key, if it has nothing to say. */
function nameOf(key, entries) {
  const names = entries.map(({ meta }) => textOf(meta.name)).filter((name) => name !== undefined);
  return names.at(-1) ?? key;
}

function personOf(key, entries) {
  const connections = entries.map(({ ref, node, meta }) => ({
    ref,
    node,
    device: textOf(meta.device),
    sinceMs: timeOf(meta.since),
  }));
  const times = connections.map(({ sinceMs }) => sinceMs).filter((sinceMs) => sinceMs !== undefined);
  const sinceMs = times.length === 0 ? undefined : Math.min(...times);
  return { key, name: nameOf(key, entries), sinceMs, connections };
}

function textOf(value) {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}

/** Milliseconds since 1970, from a number or a date text. */
function timeOf(value) {
  const timeMs = typeof value === "string" ? Date.parse(value) : value;
  return typeof timeMs === "number" && Number.isFinite(timeMs) ? timeMs : undefined;
}

function byArrival(a, b) {
  return (a.sinceMs ?? Infinity) - (b.sinceMs ?? Infinity) || (a.key < b.key ? -1 : 1);
}
