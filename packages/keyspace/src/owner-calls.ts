/** Takes operations to the owner of their key, and carries out those that come here. */
import { PresentlyError, type ReplicaId } from "presently";
import type { Confirmations } from "./confirmations.ts";
import { OwnerUnreachableError, UnconfirmedError } from "./errors.ts";
import type { LargeMessages } from "./large-messages.ts";
import type { KeyspaceClock, Messenger } from "./messenger.ts";
import {
  decodeOperation,
  decodeReply,
  encodeOperation,
  encodeReply,
  execute,
  isConfirmed,
  type OwnedOperation,
  type OwnedResult,
  type OwnerReply,
} from "./owned-operation.ts";
import type { Ownership } from "./ownership.ts";
import type { Replication } from "./replication.ts";
import type { KeyStore } from "./store.ts";
import { decodeOrigin, list } from "./wire.ts";

/** Pause before an owner is asked again, or another one. */
const RETRY_MS = 20;

export interface OwnerCallsPort {
  readonly store: KeyStore;
  readonly messenger: Messenger;
  readonly messages: LargeMessages;
  readonly clock: KeyspaceClock;
  readonly ownership: Ownership;
  readonly replication: Replication;
  readonly confirmations: Confirmations;
}

export class OwnerCalls {
  private readonly port: OwnerCallsPort;
  /** Replies by call id, so that a call that is repeated is not carried out twice. Bounded by `answersMax`. */
  private readonly answers = new Map<string, Promise<OwnerReply>>();
  private calls = 0;

  constructor(port: OwnerCallsPort) {
    this.port = port;
  }

  /**
   * Has the owner of its key carry out an operation; what it wrote is seen here before this settles.
   *
   * @throws {OwnerUnreachableError} when no owner acted within `waitMs`, or none is known to have
   * @throws {UnconfirmedError} when the owner acted, but no other replica confirmed it
   * @throws {PresentlyError} whatever the store refused
   */
  async call(operation: OwnedOperation, waitMs: number): Promise<OwnedResult> {
    const { ownership, clock, store, messenger } = this.port;
    const untilMs = clock.now() + waitMs;
    const id = `${store.set.replica}#${++this.calls}`;
    let asked = "nobody";
    do {
      const owner = ownership.owner(operation.key);
      if (owner !== undefined) {
        asked = owner;
        const reply =
          owner === messenger.replica
            ? await this.serve(id, operation)
            : await this.askOwner(owner, id, operation, untilMs);
        if (reply?.type === "done") return reply.result;
        if (reply?.type === "failed") throw reply.error;
      }
      if (clock.now() + RETRY_MS >= untilMs) break;
      await new Promise<void>((resolve) => clock.schedule(RETRY_MS, resolve));
    } while (clock.now() < untilMs);
    throw new OwnerUnreachableError(operation.key, asked, waitMs);
  }

  /** The reply of the owner; undefined if there was none. */
  private async askOwner(
    owner: ReplicaId,
    id: string,
    operation: OwnedOperation,
    untilMs: number,
  ): Promise<OwnerReply | undefined> {
    const { messages, clock, replication, ownership, store } = this.port;
    // What was written here before has to be seen by the owner: it goes ahead, and the owner asks for what did not come.
    const written = replication.flush();
    // An owner that cannot be reached directly is asked through somebody who can perhaps reach it.
    const through = ownership.isLinked(owner) ? [owner] : ownership.linkedParticipants();
    for (const peer of through) {
      const timeoutMs = untilMs - clock.now();
      if (timeoutMs <= 0) return undefined;
      try {
        const payload = [
          "call",
          id,
          encodeOperation(operation),
          peer === owner ? null : owner,
          store.set.replica,
          written,
        ];
        const reply = decodeReply(await messages.request(peer, payload, timeoutMs));
        if (reply.type === "done") {
          const left = Math.max(untilMs - clock.now(), 1);
          await Promise.race([
            replication.holds(reply.origin as ReplicaId, reply.number, peer),
            new Promise((resolve) => clock.schedule(left, () => resolve(false))),
          ]);
        }
        if (reply.type !== "refused") return reply;
      } catch (error) {
        // Not reached, or no answer: the caller looks anew who the owner is, until its time is up.
        if (!(error instanceof PresentlyError)) throw error;
      }
    }
    return undefined;
  }

  /** Answers a call that came from a peer. */
  async answer(parts: readonly unknown[], from: ReplicaId): Promise<unknown> {
    const [id, encoded, forwardTo, origin, written] = parts;
    const operation = decodeOperation(encoded);
    const { messenger, messages, ownership, store } = this.port;
    if (typeof forwardTo === "string" && forwardTo !== messenger.replica) {
      if (!ownership.isLinked(forwardTo as ReplicaId)) return encodeReply({ type: "refused" });
      const payload = ["call", id, encoded, null, origin, written];
      return list(
        await messages.request(forwardTo as ReplicaId, payload, store.settings.ownerWaitMs),
        "reply",
      );
    }
    await this.port.replication.holds(decodeOrigin(origin), written, from);
    return encodeReply(await this.serve(String(id), operation));
  }

  /** Carries an operation out here, once for each id; refuses unless we own its key. */
  private async serve(id: string, operation: OwnedOperation): Promise<OwnerReply> {
    const { ownership, messenger, store } = this.port;
    const known = this.answers.get(id);
    if (known !== undefined) return known;
    if (ownership.own !== "serving" || ownership.owner(operation.key) !== messenger.replica)
      return { type: "refused" };
    const reply = this.perform(operation, ownership.ranked(operation.key).slice(1));
    this.answers.set(id, reply);
    if (this.answers.size > store.settings.answersMax) this.answers.delete(this.answers.keys().next().value!);
    return reply;
  }

  private async perform(operation: OwnedOperation, backups: readonly ReplicaId[]): Promise<OwnerReply> {
    const { store, replication, clock } = this.port;
    try {
      store.advance(clock.now(), clock.wallMs());
      const result = execute(store, operation);
      const number = replication.flush();
      if (isConfirmed(operation)) await this.confirmedByOne(number, backups);
      return { type: "done", result, origin: store.set.replica, number };
    } catch (error) {
      if (error instanceof PresentlyError) return { type: "failed", error };
      throw error;
    }
  }

  /** Waits for the first backup that holds our events up to `number`: the next owner, if this one is lost. */
  private async confirmedByOne(number: number, backups: readonly ReplicaId[]): Promise<void> {
    const { confirmations, store } = this.port;
    if (backups.length === 0) return;
    for (const backup of backups) if (await confirmations.confirm(backup, number)) return;
    throw new UnconfirmedError(store.settings.confirmTimeoutMs);
  }
}
