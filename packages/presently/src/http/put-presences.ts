/**
 * Presences that back ends PUT: they belong to the caller's name for them, and any node can change or remove them.
 *
 * One node holds each, as it holds what its sessions track, and all know it by its mark (see `Mark`). A PUT at another node
 * takes the presence over; where two hold one of the same name, all agree on which it is, and the holder of the other lets
 * go. When the holder stops or crashes, another node stands in: the first of an order that all nodes find alike, and the
 * next ones should it not.
 */
import { isDeepStrictEqual } from "node:util";
import {
  type Clock,
  type Endpoint,
  type Entry,
  type Mark,
  type MarkChange,
  type Meta,
  type Millis,
  nameOf,
  PresentlyError,
  type ReplicaId,
  type Session,
} from "@presently/replica";
import { inOrder } from "../drop-in/rendezvous.ts";

/** Reserved for nodes among themselves; see `Question`. */
export const PUTS_CHANNEL = "presently/puts";

/** How long other nodes may take to say that they know of a change. */
const CONFIRM_MS = 500;
/** How much later than the one before it each node of the order stands in. */
const NEXT_STAND_IN_MS = 2_000;

/** The caller's name for a presence. */
export interface PutName {
  readonly topic: string;
  readonly key: string;
  /** Tells apart what several callers PUT under one key. */
  readonly id: string;
}

/** What is to be present. */
export interface PutContent {
  readonly meta: Meta;
  /** Default: until it is removed. */
  readonly ttlMs?: number | undefined;
}

/** What became of a PUT. */
export interface PutResult {
  readonly ref: string;
  /** Whether there was none of that name. */
  readonly created: boolean;
}

/** `know`: whoever answers has heard of all that the asker did before. `renew`, `remove`: if you hold it. */
type Question = { readonly op: "know" } | ({ readonly op: "renew" | "remove" } & PutName);

/** What is known of a presence whose node is forgotten. */
interface Orphan {
  readonly replica: ReplicaId;
  readonly ref: string;
  readonly meta: Meta;
  readonly mark: Mark;
}

/** Another node of the order has until then to stand in. */
interface Wait {
  readonly dueAt: Millis;
  readonly cancel: () => void;
}

/** Puts, renews and removes; answers the other nodes from its construction on. */
export class PutPresences {
  readonly #endpoint: Endpoint;
  readonly #clock: Clock;
  /** By the id of what they hold: a session holds one entry of a key. */
  readonly #sessions = new Map<string, Session>();
  /** End the time to live of what is held here, by name. */
  readonly #lapses = new Map<string, () => void>();
  readonly #orphans = new Map<string, Orphan>();
  readonly #waits = new Map<string, Wait>();
  /** What has changed since it was last looked at. */
  readonly #dirty = new Map<string, PutName>();
  #removed: { readonly name: PutName; readonly ref: string }[] = [];
  #confirming: Promise<unknown> = Promise.resolve();
  #nextConfirmation: Promise<void> | undefined;
  #closed = false;

  constructor(endpoint: Endpoint, clock: Clock) {
    this.#endpoint = endpoint;
    this.#clock = clock;
    const { replica } = endpoint;
    replica.marks.listen((entry, mark, change) => this.#note(entry, mark, change));
    replica.onReplica((change) => {
      for (const entry of replica.marks.heldBy(change.replica)) this.#touch(nameOfEntry(entry));
      for (const text of this.#waits.keys()) this.#touch(nameIn(text));
    });
    replica.messenger.onRequest(PUTS_CHANNEL, (payload, _from, responder) =>
      responder.reply(this.#answer(payload as Question)),
    );
  }

  /**
   * Makes it present, or updates it, wherever it is held. Settles when the nodes that this one is linked with know of it,
   * or have not said so for half a second.
   *
   * @throws what `Session.track` throws (rejects)
   */
  async put(name: PutName, content: PutContent): Promise<PutResult> {
    const there = await this.#renewed(name, content);
    if (there !== undefined) return { ref: there.ref, created: false };
    const result = this.#place(name, content);
    await this.#confirmed();
    return result;
  }

  /** Takes it away, wherever it is held. Settles as `put`; with whether there was one. */
  async remove(name: PutName): Promise<boolean> {
    const here = this.#removeHere(name);
    const answers = await this.#ask(this.#peers(), { op: "remove", ...name });
    return here || answers.includes(true);
  }

  /** Ends its timers: what is held here is for others to look after. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#lapses.values()) cancel();
    for (const { cancel } of this.#waits.values()) cancel();
  }

  /** The same again changes nothing but how long it stays. Returns undefined where that is not all. */
  async #renewed(name: PutName, { meta, ttlMs }: PutContent): Promise<Entry | undefined> {
    const held = this.#bestOf(name);
    if (!held?.shown || !this.#isAlive(held) || held.mark!.ttlMs !== ttlMs) return undefined;
    if (!isDeepStrictEqual(held.presence.meta, meta)) return undefined;
    const isHere = held.replica === this.#self;
    const [renewed] = isHere
      ? [this.#renew(name)]
      : await this.#ask([held.replica], { op: "renew", ...name });
    return renewed === true ? held : undefined;
  }

  #renew(name: PutName): boolean {
    const held = this.#bestOf(name);
    if (held?.replica !== this.#self) return false;
    this.#startLapse(name, held.mark!);
    return true;
  }

  #place(name: PutName, { meta, ttlMs }: PutContent): PutResult {
    const { topic, key, id } = name;
    const all = this.#entriesOf(name);
    const orphan = this.#orphans.get(textOf(name));
    const marks = [orphan?.mark, ...all.map(({ mark }) => mark)];
    const version = Math.max(...marks.map((mark) => mark?.version ?? 0)) + 1;
    const mark: Mark = ttlMs === undefined ? { id, version } : { id, version, ttlMs };
    try {
      const placed = { topic, key, meta, mark };
      const { ref } = this.#endpoint.replica.place(this.#sessionOf(id), placed, this.#bestOf(name), all);
      this.#startLapse(name, mark);
      return { ref, created: all.length === 0 && orphan === undefined };
    } finally {
      this.#closeIfEmpty(id);
    }
  }

  #removeHere(name: PutName): boolean {
    const isOrphan = this.#orphans.delete(textOf(name));
    return this.#endpoint.replica.removeMarked(this.#entriesOf(name)) > 0 || isOrphan;
  }

  // What follows from changes, whoever made them.

  /** Called in the middle of a change: what follows from it comes after it. */
  #note(entry: Entry, mark: Mark, change: MarkChange): void {
    const name = nameOfEntry(entry);
    if (change === "inserted") this.#orphans.delete(textOf(name));
    else if (change === "removed") this.#removed.push({ name, ref: entry.ref });
    else if (!this.#entriesOf(name).some((other) => this.#isAlive(other)))
      this.#orphans.set(textOf(name), orphanOf(entry, mark));
    this.#touch(name);
  }

  #touch(name: PutName): void {
    if (this.#dirty.size === 0) this.#clock.schedule(0, () => this.#settle());
    this.#dirty.set(textOf(name), name);
  }

  #settle(): void {
    const dirty = [...this.#dirty.values()];
    const removed = this.#removed.splice(0);
    this.#dirty.clear();
    if (this.#closed) return;
    for (const { name, ref } of removed) if (this.#ownOf(name)?.mark?.standsInFor === ref) this.#letGo(name);
    for (const name of dirty) this.#settleOne(name);
  }

  #settleOne(name: PutName): void {
    const text = textOf(name);
    const best = this.#bestOf(name);
    const orphan = this.#orphans.get(text);
    if (best !== undefined && this.#isAlive(best)) {
      this.#endWait(text);
      if (best.replica !== this.#self) this.#letGo(name);
      else if (!this.#lapses.has(text)) this.#startLapse(name, best.mark!);
    } else if (best !== undefined) this.#standInOnTime(name, orphanOf(best, best.mark!), best);
    else if (orphan !== undefined) this.#standInOnTime(name, orphan, undefined);
    else this.#endWait(text);
    if (this.#ownOf(name) === undefined) this.#endLapse(text);
    this.#closeIfEmpty(name.id);
  }

  /** Stands in at once if this node is the first that could, or once those before it have had their time. */
  #standInOnTime(name: PutName, gone: Orphan, entry: Entry | undefined): void {
    const text = textOf(name);
    const self = this.#self;
    // A new life of the node that is gone may not have caught up yet with what there was.
    const able = [...this.#endpoint.replica.upReplicas()].filter(
      (replica) => replica === self || nameOf(replica) !== nameOf(gone.replica),
    );
    const now = this.#clock.now();
    const dueAt = Math.min(
      now + inOrder(able, text).indexOf(self) * NEXT_STAND_IN_MS,
      this.#waits.get(text)?.dueAt ?? Number.POSITIVE_INFINITY,
    );
    this.#endWait(text);
    if (dueAt > now) {
      this.#waits.set(text, { dueAt, cancel: this.#clock.schedule(dueAt - now, () => this.#touch(name)) });
      return;
    }
    this.#orphans.delete(text);
    this.#standIn(name, gone, entry);
  }

  #standIn({ topic, key, id }: PutName, { ref, meta, mark }: Orphan, entry: Entry | undefined): void {
    const { replica } = this.#endpoint;
    const placed = { topic, key, meta, mark: { ...mark, standsInFor: mark.standsInFor ?? ref } };
    const session = this.#sessionOf(id);
    // One that is believed down may come back, and goes on with its own.
    const leaving = entry?.shown && replica.statusOf(entry.replica) === "leaving" ? entry : undefined;
    try {
      if (session.get(topic, key) === undefined) replica.standIn(session, placed, leaving);
      else replica.place(session, placed, undefined, []);
    } catch (error) {
      // There is no room for it here. Another node of the order has some, or it is gone.
      if (!(error instanceof PresentlyError)) throw error;
    }
  }

  #letGo({ topic, key, id }: PutName): void {
    this.#sessions.get(id)?.untrack(topic, key);
  }

  /** From now on it has its whole time to live. */
  #startLapse(name: PutName, { ttlMs }: Mark): void {
    const text = textOf(name);
    this.#endLapse(text);
    if (ttlMs === undefined) return;
    const lapse = () => {
      this.#lapses.delete(text);
      this.#lapse(name);
    };
    this.#lapses.set(text, this.#clock.schedule(ttlMs, lapse));
  }

  /** It goes with those that it stands in for, or another node would do so next. */
  #lapse(name: PutName): void {
    const { replica } = this.#endpoint;
    replica.batch(() => {
      this.#letGo(name);
      replica.removeMarked(this.#entriesOf(name).filter((entry) => !this.#isAlive(entry)));
    });
  }

  #endLapse(text: string): void {
    this.#lapses.get(text)?.();
    this.#lapses.delete(text);
  }

  #endWait(text: string): void {
    this.#waits.get(text)?.cancel();
    this.#waits.delete(text);
  }

  #sessionOf(id: string): Session {
    let session = this.#sessions.get(id);
    if (session === undefined) {
      session = this.#endpoint.replica.session();
      this.#sessions.set(id, session);
    }
    return session;
  }

  #closeIfEmpty(id: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined || session.size > 0) return;
    session.close();
    this.#sessions.delete(id);
  }

  // What there is.

  get #self(): ReplicaId {
    return this.#endpoint.replica.id;
  }

  #entriesOf({ topic, key, id }: PutName): Entry[] {
    return [...this.#endpoint.replica.marks.of(topic, key)].filter(({ mark }) => mark!.id === id);
  }

  #ownOf(name: PutName): Entry | undefined {
    return this.#entriesOf(name).find(({ replica }) => replica === this.#self);
  }

  /** The one that counts, whoever holds it: all nodes that know of the same ones come to the same. */
  #bestOf(name: PutName): Entry | undefined {
    let best: Entry | undefined;
    for (const entry of this.#entriesOf(name))
      if (best === undefined || this.#beats(entry, best)) best = entry;
    return best;
  }

  #beats(one: Entry, other: Entry): boolean {
    const [mark, otherMark] = [one.mark!, other.mark!];
    if (mark.version !== otherMark.version) return mark.version > otherMark.version;
    if (this.#isAlive(one) !== this.#isAlive(other)) return this.#isAlive(one);
    const [original, otherOriginal] = [mark.standsInFor === undefined, otherMark.standsInFor === undefined];
    return original === otherOriginal ? one.replica > other.replica : original;
  }

  #isAlive({ replica }: Entry): boolean {
    const status = this.#endpoint.replica.statusOf(replica);
    return status === "self" || status === "up" || status === "suspect";
  }

  // What nodes ask each other.

  #answer(question: Question): boolean {
    if (question.op === "renew") return this.#renew(question);
    return question.op === "remove" ? this.#removeHere(question) : true;
  }

  /** Settles when whatever was changed here before is known at the peers. Those who wait at the same time ask once. */
  #confirmed(): Promise<void> {
    this.#nextConfirmation ??= this.#confirming.then(() => {
      this.#nextConfirmation = undefined;
      const asked = this.#ask(this.#peers(), { op: "know" });
      this.#confirming = asked;
      return asked.then(() => undefined);
    });
    return this.#nextConfirmation;
  }

  #peers(): ReplicaId[] {
    const linked = this.#endpoint.cluster().filter((report) => report.linked && report.status === "up");
    return linked.map(({ replica }) => replica);
  }

  /** The answers that come in time. */
  #ask(replicas: readonly ReplicaId[], question: Question): Promise<unknown[]> {
    return new Promise((resolve) => {
      const answers: unknown[] = [];
      let waiting = replicas.length;
      if (waiting === 0) resolve(answers);
      this.#endpoint.requestAll(replicas, PUTS_CHANNEL, question, CONFIRM_MS, (_, answer) => {
        if (answer.ok) answers.push(answer.payload);
        if (--waiting === 0) resolve(answers);
      });
    });
  }
}

function orphanOf({ replica, ref, presence: { meta } }: Entry, mark: Mark): Orphan {
  return { replica, ref, meta, mark };
}

function nameOfEntry({ topic, key, mark }: Entry): PutName {
  return { topic, key, id: mark!.id };
}

function textOf({ topic, key, id }: PutName): string {
  return JSON.stringify([topic, key, id]);
}

function nameIn(text: string): PutName {
  const [topic, key, id] = JSON.parse(text) as [string, string, string];
  return { topic, key, id };
}
