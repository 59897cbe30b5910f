/** What somebody may do, asked by the names that one protocol has for topics and keys. */
import type { Access, Action, Identity } from "../access/access.ts";
import type { Gate } from "./gate.ts";
import { RosterNameError, type RosterNames } from "./roster-names.ts";

/** The authorization hook of a node, for one protocol. */
export class Permissions {
  readonly #gate: Gate;
  readonly #names: RosterNames;

  /** Undefined without access: nobody needs to be asked, and nothing has to wait for an answer. */
  static of(access: Access | undefined, gate: Gate, names: RosterNames): Permissions | undefined {
    return access === undefined ? undefined : new Permissions(gate, names);
  }

  private constructor(gate: Gate, names: RosterNames) {
    this.#gate = gate;
    this.#names = names;
  }

  /** Whether they may see who is in a room, and hear what is said there. Never rejects; nor do the others. */
  watch(identity: Identity | undefined, room: string): Promise<boolean> {
    return this.#may(identity, () => ({ kind: "watch", topic: this.#names.topicFor(room) }));
  }

  /** Whether they may say something in a room. */
  publish(identity: Identity | undefined, room: string): Promise<boolean> {
    return this.#may(identity, () => ({ kind: "publish", topic: this.#names.topicFor(room) }));
  }

  /** Whether they may be present in a room under an id. */
  track(identity: Identity | undefined, room: string, id: string): Promise<boolean> {
    return this.#may(identity, () => ({
      kind: "track",
      topic: this.#names.topicFor(room),
      key: this.#names.keyFor(id),
    }));
  }

  /** A room that stands for nothing in the cluster is one that nobody has been allowed. */
  async #may(identity: Identity | undefined, action: () => Action): Promise<boolean> {
    try {
      return await this.#gate.may(identity, action());
    } catch (error) {
      if (error instanceof RosterNameError) return false;
      throw error;
    }
  }
}
