/**
 * How do people of different protocols meet on one topic, when each protocol has names of its own for rooms and ids?
 *
 * Every drop-in takes the option `roster`: which topic of the cluster a name of its own stands for, and which key an id
 * stands for, both ways. Left out, the same text is the name, the topic, the id and the key.
 *
 * A mapping is one-to-one, or two rooms would be one: that is checked for every name that is used.
 */
import { checkOptions, checkString, InvalidArgumentError, PresentlyError } from "@presently/replica";

/**
 * Names that begin with `prefix` are topics (keys) that begin with `inCluster` instead: with `{ prefix: "/presence/",
 * inCluster: "room:" }` the channel `/presence/lobby` is the topic `room:lobby`. Other names stand for themselves, but
 * for those that begin with `inCluster`: they would be somebody else's, and stand for nothing.
 */
export interface PrefixNames {
  /** What names of the protocol begin with; may be empty. */
  readonly prefix: string;
  /** What the cluster has in its place; may be empty. */
  readonly inCluster: string;
}

/** Any other mapping of topics. Each function must be the reverse of the other, quick, and the same at all times. */
export interface TopicNames {
  /** The topic of a name; undefined: it has none, and so no presence. */
  readonly toTopic: (name: string) => string | undefined;
  /** The name of a topic; undefined if it has none. */
  readonly fromTopic: (topic: string) => string | undefined;
}

/** Any other mapping of ids, as of topics. */
export interface IdNames {
  /** The key of an id; undefined: whoever has it cannot be present. */
  readonly toKey: (id: string) => string | undefined;
  /** The id of a key; undefined: whoever has it is not shown by this protocol. */
  readonly fromKey: (key: string) => string | undefined;
}

/** The option `roster` of every drop-in; the same at all servers of one protocol. */
export interface RosterOptions {
  /** What the protocol's rooms are called in the cluster. Default: the same. */
  readonly topics?: PrefixNames | TopicNames | undefined;
  /** What the protocol's ids are called in the cluster. Default: the same. */
  readonly ids?: PrefixNames | IdNames | undefined;
}

/**
 * A name that has no counterpart in the cluster (`NAME_NOT_MAPPED`), or an invalid mapping: it throws, returns an empty
 * string or no string at all, or does not lead back (`NAME_MAPPING_BROKEN`).
 */
export class RosterNameError extends PresentlyError {
  /** The option in question: `roster.topics` or `roster.ids`. */
  readonly option: string;
  /** What could not be mapped. */
  readonly text: string;

  constructor(
    code: "NAME_NOT_MAPPED" | "NAME_MAPPING_BROKEN",
    option: string,
    text: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(code, `${option}: ${JSON.stringify(text)} ${problem}`, options);
    this.option = option;
    this.text = text;
  }
}

/** One direction of a mapping. */
type Translate = (text: string) => string | undefined;

/** One mapping, checked. */
interface Mapping {
  readonly toCluster: Translate;
  readonly fromCluster: Translate;
}

const SAME: Mapping = { toCluster: (name) => name, fromCluster: (text) => text };

/** The names of one protocol at one server: what `roster` says, checked whenever it is used. */
export class RosterNames {
  /** Whether every name stands for itself. */
  readonly areSame: boolean;
  readonly #topics: Mapping;
  readonly #ids: Mapping;

  /** @throws {InvalidArgumentError} for an option that is unknown or cannot be used */
  constructor(options: RosterOptions = {}) {
    checkOptions(options, ["topics", "ids"], "roster.");
    const { topics, ids } = options;
    this.#topics = mappingOf("roster.topics", topics, ["toTopic", "fromTopic"]);
    this.#ids = mappingOf("roster.ids", ids, ["toKey", "fromKey"]);
    this.areSame = this.#topics === SAME && this.#ids === SAME;
  }

  /** The topic of a room; undefined if it has none. @throws {RosterNameError} `NAME_MAPPING_BROKEN` */
  topicOf(name: string): string | undefined {
    checkString("name", name);
    return this.#topics.toCluster(name);
  }

  /** As `topicOf`, for a room where there must be one. @throws {RosterNameError} `NAME_NOT_MAPPED` besides */
  topicFor(name: string): string {
    return this.topicOf(name) ?? fail("roster.topics", name);
  }

  /**
   * What access is asked about for a room that need not have a topic: its topic, or its own name where no topic is called
   * so. Undefined where one is: leave for that topic is none for this room.
   *
   * @throws {RosterNameError} `NAME_MAPPING_BROKEN`
   */
  subjectOf(name: string): string | undefined {
    return this.topicOf(name) ?? (this.nameOf(name) === undefined ? name : undefined);
  }

  /** The room of a topic; undefined if this protocol has none for it. */
  nameOf(topic: string): string | undefined {
    checkString("topic", topic);
    return this.#topics.fromCluster(topic);
  }

  /** The key of an id; undefined if it has none. @throws {RosterNameError} `NAME_MAPPING_BROKEN` */
  keyOf(id: string): string | undefined {
    checkString("id", id);
    return this.#ids.toCluster(id);
  }

  /** As `keyOf`, for an id that must have one. @throws {RosterNameError} `NAME_NOT_MAPPED` besides */
  keyFor(id: string): string {
    return this.keyOf(id) ?? fail("roster.ids", id);
  }

  /** The id of a key; undefined if this protocol has none for it, and does not show it. */
  idOf(key: string): string | undefined {
    checkString("key", key);
    return this.#ids.fromCluster(key);
  }
}

function fail(option: string, text: string): never {
  throw new RosterNameError("NAME_NOT_MAPPED", option, text, "stands for nothing in the cluster");
}

/** @throws {InvalidArgumentError} for what is no mapping */
function mappingOf(option: string, given: unknown, [to, from]: readonly [string, string]): Mapping {
  if (given === undefined) return SAME;
  const fields = typeof given === "object" && given !== null ? (given as Record<string, unknown>) : {};
  const { prefix, inCluster, [to]: toCluster, [from]: fromCluster } = fields;
  const isPrefix = typeof prefix === "string" && typeof inCluster === "string";
  const isPair = typeof toCluster === "function" && typeof fromCluster === "function";
  if (isPrefix === isPair || Object.keys(fields).length !== 2)
    throw new InvalidArgumentError(
      option,
      `must be { prefix, inCluster }, both texts, or { ${to}, ${from} }, both functions`,
    );
  if (!isPrefix) return checked(option, { toCluster, fromCluster } as Mapping);
  return prefix === inCluster ? SAME : prefixes({ prefix, inCluster });
}

/** One-to-one by construction: what begins with `inCluster` is the image of what begins with `prefix`, and of nothing else. */
function prefixes({ prefix, inCluster }: PrefixNames): Mapping {
  const exchange = (from: string, to: string) => (text: string) => {
    const exchanged = text.startsWith(from) ? to + text.slice(from.length) : text.startsWith(to) ? "" : text;
    return text === "" || exchanged === "" ? undefined : exchanged;
  };
  return { toCluster: exchange(prefix, inCluster), fromCluster: exchange(inCluster, prefix) };
}

/**
 * Functions of the application: what they return must lead back, and what they throw is a `RosterNameError`. Who is read is
 * not shown in either case, as nothing can be thrown there.
 */
function checked(option: string, given: Mapping): Mapping {
  const called = (translate: Translate) => (text: string) => {
    try {
      return translate(text);
    } catch (cause) {
      const problem = `cannot be mapped: ${String(cause)}`;
      throw new RosterNameError("NAME_MAPPING_BROKEN", option, text, problem, { cause });
    }
  };
  const mapping = { toCluster: called(given.toCluster), fromCluster: called(given.fromCluster) };
  return {
    toCluster: (name) => {
      const mapped = mapping.toCluster(name);
      if (mapped === undefined) return undefined;
      if (typeof mapped !== "string" || mapped === "")
        throw new RosterNameError("NAME_MAPPING_BROKEN", option, name, "is mapped to what is no name");
      const back = mapping.fromCluster(mapped);
      if (back === name) return mapped;
      const problem = `is mapped to ${JSON.stringify(mapped)}, which leads back to ${JSON.stringify(back)}`;
      throw new RosterNameError("NAME_MAPPING_BROKEN", option, name, problem);
    },
    fromCluster: (text) => {
      try {
        const name = mapping.fromCluster(text);
        const leadsBack = typeof name === "string" && name !== "" && mapping.toCluster(name) === text;
        return leadsBack ? name : undefined;
      } catch (error) {
        if (error instanceof RosterNameError) return undefined;
        throw error;
      }
    },
  };
}
