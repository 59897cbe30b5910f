/** The naive model of sessions: what each holds follows from the calls that were made and from what it was told. */
import type { Meta, Presence, Session } from "@presently/replica";
import { InvariantError } from "./errors.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Dot } from "./reference.ts";

export interface Held {
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;
}

export class SessionModel {
  readonly session: Session;
  readonly held = new Map<string, Held>();
  private readonly process: SimulatedProcess;

  /** @param removed told of every entry that somebody else took */
  constructor(process: SimulatedProcess, removed: (presence: Presence) => void) {
    this.process = process;
    this.session = process.endpoint.replica.session();
    this.session.onRemoved((presence) => {
      removed(presence);
      if (!this.held.delete(nameOf(presence.topic, presence.key)))
        throw new InvariantError(
          "sessions",
          `${process.id} lost ${presence.ref}, which its session did not hold`,
        );
    });
  }

  has(topic: string, key: string): boolean {
    return this.held.has(nameOf(topic, key));
  }

  put(topic: string, key: string, meta: Meta): void {
    this.held.set(nameOf(topic, key), { topic, key, meta });
  }

  drop(topic: string, key: string): boolean {
    return this.held.delete(nameOf(topic, key));
  }

  /** @throws {InvariantError} unless the session holds exactly what the model says */
  check(): void {
    const { session, held, process } = this;
    if (session.size !== held.size)
      throw new InvariantError(
        "sessions",
        `a session at ${process.id} holds ${session.size} entries, not ${held.size}`,
      );
    for (const { topic, key, meta } of held.values()) {
      const presence = session.get(topic, key);
      if (presence === undefined || !sameMeta(presence.meta, meta))
        throw new InvariantError(
          "sessions",
          `a live session at ${process.id} tracks ${key} on ${topic} as ${JSON.stringify(meta)}, and ` +
            (presence ? `shows ${JSON.stringify(presence.meta)}` : "is not seen there itself"),
        );
    }
  }
}

/** Whether they are the same, byte for byte. Neither may ever change: those of presences and of scenarios do not. */
export function sameMeta(one: Meta, other: Meta): boolean {
  return one === other || jsonOf(one) === jsonOf(other);
}

/** Metas are compared again and again. */
const texts = new WeakMap<Meta, string>();

function jsonOf(meta: Meta): string {
  let text = texts.get(meta);
  if (text === undefined) {
    text = JSON.stringify(meta);
    texts.set(meta, text);
  }
  return text;
}

/** The dot of a presence that a process shows. Cost: O(entries of its replica). */
export function dotOf({ id, endpoint }: SimulatedProcess, presence: Presence): Dot {
  for (const [number, entry] of endpoint.replica.state.entriesOf(presence.replica))
    if (entry.presence === presence) return { replica: presence.replica, number };
  throw new InvariantError("views", `${id} shows ${presence.key} (${presence.ref}), which is not in its set`);
}

function nameOf(topic: string, key: string): string {
  return `${topic} ${key}`;
}
