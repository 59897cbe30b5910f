/** Mistakes that somebody could make in the two pure packages, each as a change of one place in their sources. */

export interface PlantedBug {
  readonly name: string;
  /** Below `packages`. */
  readonly file: string;
  /** Stands there once; white space counts as one space. */
  readonly find: string;
  readonly put: string;
  /** A second change, where two places guard the same thing and one alone changes nothing that anybody sees. */
  readonly also?: Omit<PlantedBug, "name" | "also">;
}

const SET = "crdt/src/observed-remove-set.ts";
const FULL_STATE = "crdt/src/full-state.ts";
const ORIGIN = "crdt/src/origin.ts";
const CONTENT = "replica/src/content.ts";
const LOCALS = "replica/src/local-presences.ts";
const MEMBERSHIP = "replica/src/membership.ts";
const PAST_LIVES = "replica/src/past-lives.ts";
const SUSPICIONS = "replica/src/suspicions.ts";
const PEERS = "replica/src/peers.ts";
const REPLICA = "replica/src/replica.ts";
const LIFE = "replica/src/life.ts";
const ROSTER = "replica/src/roster.ts";
const GOSSIP = "replica/src/gossip.ts";
const PULLER = "replica/src/puller.ts";
const SUCCESSION = "replica/src/succession.ts";
const SYNC = "replica/src/sync.ts";

export const PLANTED_BUGS: readonly PlantedBug[] = [
  // The set.
  {
    name: "a dropped removal",
    file: SET,
    find: "for (const removal of delta.removals) this.applyRemoval(removal, delta.origin);",
    put: "for (const removal of delta.removals.slice(1)) this.applyRemoval(removal, delta.origin);",
  },
  {
    name: "a vector advanced too early: an entry removed is taken for an event seen",
    file: SET,
    find: "if (number > origin.vector) origin.pending.add(number); this.delete(origin, number, by, removal.deliberate);",
    put: "if (number === origin.vector + 1) origin.vector = number; else if (number > origin.vector) origin.pending.add(number); this.delete(origin, number, by, removal.deliberate);",
  },
  {
    name: "a lost pending dot",
    file: SET,
    find: "if (number > origin.vector) origin.pending.add(number); this.delete(origin, number, by, removal.deliberate);",
    put: "this.delete(origin, number, by, removal.deliberate);",
  },
  {
    name: "a pending dot lost in a full state",
    file: SET,
    find: "if (number > origin.vector) origin.pending.add(number); this.delete(origin, number, undefined);",
    put: "this.delete(origin, number, undefined);",
  },
  {
    name: "a full state that does not tell what is pending",
    file: FULL_STATE,
    find: "if (removed.size > 0) pending.push({ origin: id, numbers: [...removed] });",
    put: "",
  },
  {
    name: "a pending dot that is never let go of",
    file: ORIGIN,
    find: "if (number <= this.vector) this.pending.delete(number);",
    put: "if (number < 0) this.pending.delete(number);",
  },
  {
    name: "a gap that is not detected",
    file: SET,
    find: 'if (delta.from > origin.vector) return "gap";',
    put: "",
  },
  {
    name: "a delta that is applied again",
    file: SET,
    find: 'if (delta.to <= origin.vector) return "known";',
    put: "",
  },
  {
    name: "an eviction that forgets too much: the newer life as well",
    file: SET,
    find: "this.origins.delete(id); this.evicted.add(id);",
    put: 'for (const other of this.origins.keys()) if (other !== this.replica && other.split("@")[0] === id.split("@")[0]) this.origins.delete(other); this.evicted.add(id);',
  },
  {
    name: "an eviction that forgets too much: what others have removed",
    file: SET,
    find: "this.origins.delete(id); this.evicted.add(id);",
    put: "this.origins.delete(id); for (const other of this.origins.values()) other.pending.clear(); this.evicted.add(id);",
  },
  {
    name: "a hash not updated when an entry goes",
    file: ORIGIN,
    find: "} else this.hash.toggle(number);",
    put: "}",
  },
  {
    name: "a hash not updated when staged entries come to count",
    file: ORIGIN,
    find: "this.hash.absorb(this.aheadHash);",
    put: "",
  },
  {
    name: "a log that leaps: deltas from before a full state are kept",
    file: ORIGIN,
    find: "this.log.clear();",
    put: "",
  },
  {
    name: "a relay that leaves out what somebody else has removed",
    file: SET,
    find: "return origin.log.since(from)?.map((delta) => this.withoutForgotten(delta));",
    put: "return origin.log.since(from)?.map((delta) => ({ ...this.withoutForgotten(delta), numbers: delta.numbers.filter((number) => origin.live.has(number)), values: delta.values.filter((_, index) => origin.live.has(delta.numbers[index]!)) }));",
  },
  {
    name: "a buffer without bound: the log",
    file: "crdt/src/delta-log.ts",
    find: "while (this.size > this.sizeMax) {",
    put: "while (this.size < 0) {",
  },
  // What is shown.
  {
    name: "a diff emitted twice",
    file: ROSTER,
    find: "for (const subscription of delivery.subscriptions) this.tell(subscription, delivery.diff);",
    put: "for (const twice of [1, 2]) for (const subscription of delivery.subscriptions) this.tell(subscription, delivery.diff);",
  },
  {
    name: "an update told as a leave and a join",
    file: "replica/src/topic-watch.ts",
    find: "const updates = this.gone.size > 0 && this.added.size > 0 ? this.takeUpdates() : NONE;",
    put: "const updates: readonly Update[] = this.gone.size < 0 ? this.takeUpdates() : NONE;",
  },
  {
    name: "a count that does not go down",
    file: "replica/src/topic.ts",
    find: "entry.home = undefined; this.count--;",
    put: "entry.home = undefined;",
  },
  {
    name: "a leave that is not shown: who is forgotten stays",
    file: CONTENT,
    find: "this.roster.hide(entry, reason);",
    put: "",
  },
  {
    name: "who is down stays",
    file: CONTENT,
    find: 'this.roster.hide(entry, "lost")',
    put: "undefined",
  },
  {
    name: "a hand-off that forgets whose keys may be taken over",
    file: SUCCESSION,
    find: "this.leaving.add(replica);",
    put: "",
  },
  // Sessions.
  {
    name: "an update that loses its meta",
    file: LOCALS,
    find: "const entry = this.entry(held.topic, held.key, value,",
    put: "const entry = this.entry(held.topic, held.key, held.presence.meta,",
  },
  {
    name: "a live session's entry that a full exchange took is not added again",
    file: CONTENT,
    find: "this.locals.readd(entry);",
    put: "this.locals.forget(entry);",
  },
  {
    name: "a session that is not told what others removed",
    file: CONTENT,
    find: "entry.session?.tellRemoved(entry, (error) => this.listenerFailed(error, { ref: entry.ref }));",
    put: "",
  },
  // Membership.
  {
    name: "a node that stops for what is only said of its name",
    file: LIFE,
    find: "if (now >= this.renameAt) this.reincarnate(this.newer, now);",
    put: `if (now >= this.renameAt) {
      if (this.upMs(now) < 2 * this.settings.downAfterMs) this.reincarnate(this.newer, now);
      else this.yieldTo(replicaId(this.settings.name, this.newer));
    }`,
  },
  {
    name: "an old life that comes back: it is neither remembered nor known to be old",
    file: MEMBERSHIP,
    find: "return incarnation >= this.newestOf(name);",
    put: "return true;",
    also: {
      file: MEMBERSHIP,
      find: "other.incarnation < member.incarnation) { this.pastLives.bar(other.id);",
      put: "other.incarnation < member.incarnation) {",
    },
  },
  {
    name: "a goodbye that is not remembered",
    file: MEMBERSHIP,
    find: "if (this.pastLives.isBarred(replica)) return false; this.pastLives.bar(replica);",
    put: "if (this.pastLives.isBarred(replica)) return false;",
  },
  {
    name: "supersede does not evict",
    file: MEMBERSHIP,
    find: 'if (other.status !== "leaving") this.evict(other, "evicted");',
    put: "",
  },
  {
    name: "a stall that is not noticed: others are declared down for it",
    file: MEMBERSHIP,
    find: "this.suspicions.holdUntil = now + this.settings.heartbeatIntervalMs;",
    put: "",
  },
  {
    name: "an evicted replica that a stale copy brings back",
    file: PAST_LIVES,
    find: "return lastCounter === undefined || (counter > lastCounter && agoMs < this.settings.downAfterMs);",
    put: "return true;",
  },
  {
    name: "hearsay has no age",
    file: GOSSIP,
    find: "agoMs: Math.max(0, Math.round(now - heardAt))",
    put: "agoMs: heardAt > now ? 1 : 0",
  },
  {
    name: "a crash that is only seen at the time-out",
    file: SUSPICIONS,
    find: "member.suspicion.unreachable = true;",
    put: "",
  },
  // Sync.
  {
    name: "a digest that is not sent again after a change",
    file: GOSSIP,
    find: "touch(): void { this.digest = undefined; }",
    put: "touch(): void { this.digest ??= undefined; }",
  },
  {
    name: "drained says nothing",
    file: REPLICA,
    find: "this.beat(peer, now); this.messenger.drained();",
    put: "this.messenger.drained();",
  },
  {
    name: "a buffer without bound: pushes to who does not keep up",
    file: PEERS,
    find: "if (!this.outbox.congested(peer)) ready.push(peer);",
    put: "ready.push(peer);",
  },
  {
    name: "a divergence that nobody repairs",
    file: SYNC,
    find: "peer.diverges = true;",
    put: "",
  },
  {
    name: "a full state that is never merged",
    file: PULLER,
    find: "if (message.full) this.merge(pull, message.pending);",
    put: "",
  },
  {
    name: "a pull that waits for ever",
    file: PULLER,
    find: "if (now < deadline) return deadline;",
    put: "if (now < deadline || this.current !== undefined) return Number.POSITIVE_INFINITY;",
  },
  {
    name: "a lost link that leaves its pull under way",
    file: PULLER,
    find: "if (this.current?.peer.id === peer) this.current = undefined;",
    put: "",
  },
];
