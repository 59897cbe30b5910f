/**
 * The sessions of this node, and the way to those of others: a client that was cut off says the name of its session
 * wherever it connects again, and the name says which node has it.
 */
import { createHash, randomBytes } from "node:crypto";
import { PresentlyError, type PresentlyNode, type ReplicaId } from "presently";
import { isMap } from "./json.ts";
import { CableSession, type SessionState } from "./session.ts";
import type { SessionServices } from "./session-services.ts";

const RESUME_CHANNEL = "anycable:resume";
const RESUME_TIMEOUT_MS = 1_000;
/** A session that is larger as JSON does not fit into a message between nodes: its client subscribes anew. */
const STATE_BYTES_MAX = 60_000;

/** What one node asks another for: a session, and for whom. */
interface Asked {
  readonly sid: string;
  readonly who?: string;
}

export class SessionTable {
  readonly #services: SessionServices;
  readonly #sessions = new Map<string, CableSession>();
  /** Those that are away, the oldest first, with their bytes. */
  readonly #away = new Map<CableSession, number>();
  #awayBytes = 0;
  readonly #unlisten: () => void;

  constructor(services: SessionServices) {
    this.#services = services;
    this.#unlisten = services.node.onRequest(RESUME_CHANNEL, (payload) => this.#giveAway(payload));
  }

  /** How many clients are connected here. */
  get connected(): number {
    return this.#sessions.size - this.#away.size;
  }

  /** A name for a session that begins here: not to be guessed, and with the node in it for those who know the nodes. */
  newSid(): string {
    return `${randomBytes(16).toString("base64url")}.${tagOf(this.#services.node.replica)}`;
  }

  add(session: CableSession): void {
    this.#sessions.set(session.sid, session);
  }

  /** Its connection is gone: it is kept, if it can be resumed. */
  lost(session: CableSession): void {
    session.lost();
    if (session.ended) this.#sessions.delete(session.sid);
    if (this.#sessions.get(session.sid) !== session || this.#away.has(session)) return;
    const bytes = Buffer.byteLength(JSON.stringify(session.export()));
    this.#away.set(session, bytes);
    this.#awayBytes += bytes;
    const { sessionsKeptMax, sessionsKeptBytesMax } = this.#services.limits;
    for (const oldest of this.#away.keys()) {
      if (this.#away.size <= sessionsKeptMax && this.#awayBytes <= sessionsKeptBytesMax) break;
      oldest.end();
      this.#forget(oldest);
    }
  }

  /**
   * Takes the session of this name, wherever it is; the caller goes on with it under another name. Undefined if there is
   * none that can be resumed, or that is somebody else's: the client subscribes anew.
   *
   * @param who  the id of the identity that asks; undefined without access
   */
  take(sid: string, who: string | undefined): CableSession | undefined | Promise<CableSession | undefined> {
    const session = this.#sessions.get(sid);
    if (session !== undefined) {
      if (!session.resumable || session.owner !== who) return undefined;
      // Its client is here, so that its old connection is not, whatever it looks like.
      session.lost();
      this.#forget(session);
      return session.ended ? undefined : session;
    }
    const owner = this.#ownerOf(sid);
    return owner === undefined
      ? undefined
      : this.#fetch(owner, { sid, ...(who === undefined ? {} : { who }) });
  }

  /** All of them, those that are away too. */
  all(): CableSession[] {
    return [...this.#sessions.values()];
  }

  tick(): void {
    for (const session of this.#sessions.values()) {
      session.tick();
      if (session.ended) this.#forget(session);
      else if (!session.connected) this.lost(session);
    }
  }

  excuse(): void {
    for (const session of this.#sessions.values()) session.excuse();
  }

  close(): void {
    this.#unlisten();
    for (const session of this.#sessions.values()) session.end();
    this.#sessions.clear();
    this.#away.clear();
    this.#awayBytes = 0;
  }

  #forget(session: CableSession): void {
    this.#sessions.delete(session.sid);
    this.#awayBytes -= this.#away.get(session) ?? 0;
    this.#away.delete(session);
  }

  #ownerOf(sid: string): ReplicaId | undefined {
    const tag = sid.slice(sid.lastIndexOf(".") + 1);
    const { node } = this.#services;
    for (const { replica, linked } of node.cluster()) if (linked && tagOf(replica) === tag) return replica;
    return undefined;
  }

  async #fetch(owner: ReplicaId, asked: Asked): Promise<CableSession | undefined> {
    const { node } = this.#services;
    let answer: unknown;
    try {
      answer = await node.request(owner, RESUME_CHANNEL, asked, { timeoutMs: RESUME_TIMEOUT_MS });
    } catch (error) {
      // The client subscribes anew, as it does when its node has crashed.
      if (error instanceof PresentlyError) return undefined;
      throw error;
    }
    const state = stateIn(answer);
    if (state === undefined) return undefined;
    const session = new CableSession(this.#services, state.identifiers);
    session.import(state);
    return session;
  }

  /** Another node has the client of this session now. */
  #giveAway(payload: unknown): unknown {
    const session = isMap(payload) ? this.#sessions.get(String(payload.sid)) : undefined;
    if (session === undefined || !session.resumable) return null;
    if (session.owner !== (payload as Asked).who) return null;
    session.lost();
    if (session.ended) return null;
    // As text: undefined fields and the like are as they are on any wire.
    const state = JSON.stringify(session.export());
    if (Buffer.byteLength(state) > STATE_BYTES_MAX) return null;
    this.#forget(session);
    session.abandon();
    return state;
  }
}

/** Nodes of one cluster trust each other; what cannot be read is a later version's. */
function stateIn(answer: unknown): SessionState | undefined {
  if (typeof answer !== "string") return undefined;
  let state: unknown;
  try {
    state = JSON.parse(answer);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isMap(state) || !Array.isArray(state.sids) || !Array.isArray(state.subscriptions)) return undefined;
  return Array.isArray(state.presences) ? (state as unknown as SessionState) : undefined;
}

function tagOf(replica: PresentlyNode["replica"]): string {
  return createHash("sha256").update(replica).digest("base64url").slice(0, 10);
}
