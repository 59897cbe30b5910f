/** What clients ask for themselves, if the application allows it. Every request is answered. */

import type { AnyNode } from "presently";
import { PresentlyError } from "presently";
import { type Gate, openGateIfAsked, TokenBucket } from "presently/drop-in";
import type { Socket } from "socket.io";
import type { PresenceAction, PresenceSettings } from "./options.ts";
import { nameOf } from "./rooms.ts";
import type { SocketPresence } from "./socket-presence.ts";

/** Why a client's request was refused. */
export type RefusalCode = "UNAUTHORIZED" | "TOO_MANY" | "BAD_REQUEST" | "FAILED";

/** What a client is answered. */
export type PresenceAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

class RefusedError extends PresentlyError {
  constructor(code: RefusalCode, message: string) {
    super(code, message);
  }
}

const ACTIONS = ["follow", "unfollow", "track", "update", "untrack"] as const;
type Request = { readonly action: (typeof ACTIONS)[number]; readonly room: string; readonly meta: object };

type Admission = Awaited<ReturnType<Gate["admit"]>>;

export class ClientRequests {
  readonly #settings: PresenceSettings;
  readonly #node: AnyNode;
  readonly #gate: Gate | undefined;

  constructor(node: AnyNode, settings: PresenceSettings) {
    this.#node = node;
    this.#settings = settings;
    const { limits, notice } = settings;
    const onNotice = (told: Parameters<Parameters<typeof openGateIfAsked>[1]["onNotice"]>[0]) => notice(told);
    this.#gate = openGateIfAsked(node, { protocol: "socket.io", limits, onNotice });
  }

  /** Serves one socket until it ends; requests of one client are dealt with one after the other. */
  serve(socket: Socket, presence: SocketPresence): void {
    const { event, limits } = this.#settings;
    const { requestsPerSecondMax: most } = limits;
    const bucket = new TokenBucket({ burst: most, perSecond: most }, performance.now());
    let open = 0;
    let admission: Promise<Admission> | undefined;
    let last: Promise<unknown> = Promise.resolve();
    socket.on(event, (...args: unknown[]) => {
      const ack =
        typeof args.at(-1) === "function" ? (args.pop() as (answer: PresenceAnswer) => void) : undefined;
      const answer = (given: PresenceAnswer) => ack?.(given);
      if (!bucket.take(performance.now()) || open >= most) {
        answer({ ok: false, code: "TOO_MANY", message: "too many requests: ask later" });
        return;
      }
      open++;
      last = last
        .then(async () => {
          admission ??= this.#admit(socket);
          await this.#carryOut(socket, presence, args, admission);
          answer({ ok: true });
        })
        .catch((error: unknown) => answer(this.#refusal(error)))
        .finally(() => open--);
    });
    socket.once("disconnect", () => {
      void admission?.then((admitted) => admitted.ok && admitted.release());
    });
  }

  async #carryOut(
    socket: Socket,
    presence: SocketPresence,
    args: readonly unknown[],
    admission: Promise<Admission>,
  ): Promise<void> {
    const { action, room, meta } = readRequest(args);
    if (action === "untrack") return void presence.untrack(room);
    if (action === "unfollow") return void presence.unfollow(room);
    await this.#mustBeAllowed(socket, presence, action === "follow" ? "follow" : "track", room, admission);
    if (!presence.has(room) && presence.size >= this.#settings.limits.roomsPerSocketMax)
      throw new RefusedError("TOO_MANY", "this client has reached its number of rooms");
    if (action === "follow") presence.follow(room);
    else if (action === "track") presence.track(room, meta as Record<string, unknown>);
    else if (!presence.update(room, meta as Record<string, unknown>))
      throw new RefusedError("BAD_REQUEST", "nothing to update: track the room first");
  }

  async #mustBeAllowed(
    socket: Socket,
    presence: SocketPresence,
    action: PresenceAction,
    room: string,
    admission: Promise<Admission>,
  ): Promise<void> {
    const { allow, names } = this.#settings;
    const name = nameOf(room, socket.nsp.name, names);
    if (allow === undefined || (await allow(socket, action, room)) !== true)
      throw new RefusedError("UNAUTHORIZED", `this client may not ${action} this room`);
    const admitted = await admission;
    if (!admitted.ok) throw new RefusedError("UNAUTHORIZED", `this client is refused: ${admitted.reason}`);
    const topic = names.topicFor(name);
    const asked =
      action === "follow"
        ? ({ kind: "watch", topic } as const)
        : ({ kind: "track", topic, key: names.keyFor(presence.key) } as const);
    if ((await this.#gate?.may(admitted.identity, asked)) === false)
      throw new RefusedError("UNAUTHORIZED", `this client may not ${action} this room`);
  }

  async #admit({ handshake, request }: Socket): Promise<Admission> {
    const admitted: Admission = { ok: true, identity: undefined, release: () => undefined };
    if (this.#gate === undefined) return admitted;
    const { auth, headers } = handshake;
    const token = typeof auth.token === "string" ? auth.token : undefined;
    return this.#gate.admit({ token, params: auth, headers, address: this.#node.addressOf(request) });
  }

  #refusal(error: unknown): PresenceAnswer {
    if (error instanceof PresentlyError) return { ok: false, code: error.code, message: error.message };
    const message = "a request of a client could not be dealt with: a hook threw";
    this.#settings.notice({ type: "request-failed", level: "warn", message, error });
    return { ok: false, code: "FAILED", message: "the server could not deal with this request" };
  }
}

/** @throws {RefusedError} for what is no request */
function readRequest([action, room, meta = {}]: readonly unknown[]): Request {
  const isKnown = ACTIONS.some((known) => known === action);
  if (!isKnown || typeof room !== "string" || typeof meta !== "object" || meta === null)
    throw new RefusedError("BAD_REQUEST", "must be an action, a room and, to track or update, a meta");
  return { action: action as Request["action"], room, meta };
}
