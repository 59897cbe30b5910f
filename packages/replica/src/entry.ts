/** One tracked presence in memory: what the set keeps per dot, and the plain data of it that readers are handed. */
import { type EventNumber, incarnationOf, nameOf, type ReplicaId } from "@presently/crdt";
import { freezeJson } from "./json-copy.ts";
import { type Mark, markIn, withoutMark } from "./marks.ts";
import type { Meta, Presence } from "./presence.ts";
import type { AnySession as Session } from "./session.ts";
import type { Group, Topic } from "./topic.ts";

/** One tracked presence; of use to those who hold the set itself. */
export class Entry {
  readonly replica: ReplicaId;
  readonly number: EventNumber;
  /** Replaced once, by the equal string that its topic already keeps. */
  topic: string;
  readonly key: string;
  readonly meta: Meta;
  /** The event of the entry that this one replaced by an update; 0 if none. */
  readonly previous: EventNumber;
  /** The event of the first entry of this chain of updates: pairs what left with what came although some in between travelled together. */
  readonly root: EventNumber;
  /**
   * The topic on which readers see it, while they do, or what its key has there, where that is several; and its place
   * in either. Kept by the topic.
   */
  home: Topic | Group | undefined = undefined;
  place = 0;
  /** Its local owner; undefined for entries of other replicas. */
  session: Session | undefined = undefined;
  private shared: Presence | undefined = undefined;

  constructor(
    replica: ReplicaId,
    number: EventNumber,
    topic: string,
    key: string,
    meta: Meta,
    previous: EventNumber,
    root: EventNumber,
  ) {
    this.replica = replica;
    this.number = number;
    this.topic = topic;
    this.key = key;
    this.meta = meta;
    this.previous = previous;
    this.root = root;
  }

  /** Whether readers see it: its replica is counted, and nothing has taken its place. */
  get shown(): boolean {
    return this.home !== undefined;
  }

  get ref(): string {
    return refOf(this.replica, this.number);
  }

  get previousRef(): string | undefined {
    return this.previous === 0 ? undefined : refOf(this.replica, this.previous);
  }

  /** What marks it as a caller's, who is no connection; undefined for what sessions track. */
  get mark(): Mark | undefined {
    return markIn(this.meta);
  }

  /** What readers are handed: one plain object for all of them, frozen with its meta. Made when it is first wanted. */
  get presence(): Presence {
    this.shared ??= this.share();
    return this.shared;
  }

  private share(): Presence {
    const { topic, key, ref, previousRef, replica } = this;
    const meta = freezeJson(this.mark === undefined ? this.meta : withoutMark(this.meta));
    const node = nodeOf(replica);
    return Object.freeze(
      previousRef === undefined
        ? { topic, key, meta, ref, node, replica }
        : { topic, key, meta, ref, previousRef, node, replica },
    );
  }

  /** The lingering entry of another replica whose place this one, or the first of its chain of updates, took. */
  get heirOf(): Predecessor | undefined {
    return undefined;
  }
}

/** What names an entry of another replica, and its chain of updates. */
export interface Predecessor {
  readonly replica: ReplicaId;
  readonly number: EventNumber;
  readonly root: EventNumber;
}

/** The entry of an identity that came back elsewhere while its last one lingered. Few are: the others go without the field. */
export class Heir extends Entry {
  private readonly predecessor: Predecessor;

  /** Takes everything but the predecessor from `entry`. */
  constructor(
    { replica, number, topic, key, meta, previous, root }: Entry,
    { replica: before, number: numberBefore, root: rootBefore }: Predecessor,
  ) {
    super(replica, number, topic, key, meta, previous, root);
    this.predecessor = { replica: before, number: numberBefore, root: rootBefore };
  }

  override get heirOf(): Predecessor {
    return this.predecessor;
  }

  override get previousRef(): string {
    const { replica, number } = this.predecessor;
    return super.previousRef ?? refOf(replica, number);
  }
}

/** The public name of a dot: unique in the cluster, and free on the wire. */
export function refOf(replica: ReplicaId, number: EventNumber): string {
  // Most references are asked for in runs of one replica and neighbouring events, which differ in the last two digits.
  const hundreds = Math.floor(number / LAST_TWO.length);
  if (replica !== lastReplica || hundreds !== lastHundreds) {
    lastReplica = replica;
    lastHundreds = hundreds;
    lastPrefix = `${nameOf(replica)}@${incarnationOf(replica).toString(36)}.${hundreds === 0 ? "" : hundreds.toString(36)}`;
  }
  const rest = number - hundreds * LAST_TWO.length;
  return lastPrefix + (hundreds === 0 ? rest.toString(36) : LAST_TWO[rest]!);
}

/** The name of a replica's node: one text for all presences that are shown one after the other. */
function nodeOf(replica: ReplicaId): string {
  if (replica !== lastNamed) {
    lastNamed = replica;
    lastName = nameOf(replica);
  }
  return lastName;
}

/** The last two digits of numbers in base 36. */
const LAST_TWO = Array.from({ length: 36 * 36 }, (_, number) => number.toString(36).padStart(2, "0"));

let lastNamed: ReplicaId | undefined;
let lastName = "";
let lastReplica: ReplicaId | undefined;
let lastHundreds = 0;
let lastPrefix = "";
