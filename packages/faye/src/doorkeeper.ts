/**
 * Who may do what at a Faye server: asks the hooks of the node (`createNode({ access })`) about every client.
 *
 * A client shows its token at the handshake, and is known by its `clientId` from then on. What it wants is dealt with in the
 * order in which it came, although the hooks may take their time: an unsubscription must not overtake its subscription.
 */
import type { IncomingMessage } from "node:http";
import { type Admission, bearerTokenOf, type Gate, type Identity, Mailbox } from "presently/drop-in";
import type { FayeExtension, FayeMessage } from "./faye.ts";
import { channelsOf, isMeta } from "./grammar.ts";
import type { NoticeListener } from "./notice.ts";
import { matches, type Settings } from "./options.ts";
import { isMap, readRequest } from "./request.ts";

/** Messages of one client that wait for the hooks. */
const WAITING_MAX = 1_000;

/** The reply to a handshake brings these back; its own id is put in their place again. */
const TICKET = "presently handshake ";

/** A client that was let in. */
interface Guest {
  readonly identity: Identity | undefined;
  readonly mailbox: Mailbox;
  /** Gives its place to another, and stops waiting for it to expire. */
  readonly end: () => void;
}

interface Ticket {
  readonly id: unknown;
  readonly admission: Admission & { readonly ok: true };
}

export interface DoorkeeperOptions {
  readonly gate: Gate;
  readonly settings: Pick<Settings, "channelRe" | "names" | "limits" | "notice">;
  readonly addressOf: (request: IncomingMessage) => string | undefined;
  /** Ends a client at the server. */
  readonly dismiss: (clientId: string) => void;
}

export class Doorkeeper {
  readonly #gate: Gate;
  readonly #settings: DoorkeeperOptions["settings"];
  readonly #addressOf: DoorkeeperOptions["addressOf"];
  readonly #dismiss: DoorkeeperOptions["dismiss"];
  readonly #notice: NoticeListener;
  readonly #guests = new Map<string, Guest>();
  /** Those who were let in and have no `clientId` yet. */
  readonly #tickets = new Map<string, Ticket>();
  #number = 0;

  constructor({ gate, settings, addressOf, dismiss }: DoorkeeperOptions) {
    this.#gate = gate;
    this.#settings = settings;
    this.#addressOf = addressOf;
    this.#dismiss = dismiss;
    this.#notice = settings.notice;
  }

  /** Sees the replies to handshakes. */
  readonly outgoing: FayeExtension = {
    outgoing: (message, _request, callback) => {
      if (message.channel === "/meta/handshake") this.#welcome(message);
      callback(message);
    },
  };

  /** An extension that asks first, and hands on to `inner` what may pass, and what is refused with its error. */
  before(inner: FayeExtension): FayeExtension {
    return {
      incoming: (message, request, callback) => {
        const proceed = () => inner.incoming!(message, request, callback);
        // Code of the application, in this process, may do what it likes; and what is refused need not be asked about.
        if (request === null || !isMap(message) || message.error) proceed();
        else if (message.channel === "/meta/handshake")
          void this.#settle(this.#handshake(message, request), message, proceed);
        else this.#judge(message, proceed);
      },
    };
  }

  /** The client has gone. */
  left(clientId: string): void {
    const guest = this.#guests.get(clientId);
    this.#guests.delete(clientId);
    guest?.end();
  }

  close(): void {
    for (const clientId of [...this.#guests.keys()]) this.left(clientId);
    for (const { admission } of this.#tickets.values()) admission.release();
    this.#tickets.clear();
  }

  async #handshake(message: FayeMessage, request: IncomingMessage | false): Promise<string | undefined> {
    const params = isMap(message.ext) ? message.ext : {};
    const { authToken, token } = params;
    // What no request has brought has no headers.
    const headers = request ? request.headers : {};
    const shown = [authToken, token, bearerTokenOf(headers)];
    const admission = await this.#gate.admit({
      token: shown.find((text): text is string => typeof text === "string" && text !== ""),
      params,
      headers,
      address: request ? this.#addressOf(request) : undefined,
    });
    if (!admission.ok)
      return admission.reason === "too-many" ? "503::Too many clients" : "403::Handshake denied";
    this.#makeRoom();
    const name = `${TICKET}${this.#number++}`;
    this.#tickets.set(name, { id: message.id, admission });
    message.id = name;
    return undefined;
  }

  /** One whose reply was kept back by another extension would be kept for ever. */
  #makeRoom(): void {
    const [oldest] = this.#tickets;
    if (oldest === undefined || this.#tickets.size < this.#settings.limits.pendingMax) return;
    this.#tickets.delete(oldest[0]);
    oldest[1].admission.release();
  }

  #welcome(reply: FayeMessage): void {
    const ticket = typeof reply.id === "string" ? this.#tickets.get(reply.id) : undefined;
    if (ticket === undefined) return;
    this.#tickets.delete(reply.id as string);
    if (ticket.id === undefined) delete reply.id;
    else reply.id = ticket.id;
    const { identity, release } = ticket.admission;
    const { clientId } = reply;
    if (reply.error || typeof clientId !== "string") {
      release();
      return;
    }
    const forget = this.#gate.onExpire(identity, () => {
      this.left(clientId);
      this.#dismiss(clientId);
    });
    const end = () => {
      forget();
      release();
    };
    this.#guests.set(clientId, { identity, mailbox: new Mailbox(), end });
  }

  #judge(message: FayeMessage, proceed: () => void): void {
    const { clientId } = message;
    const guest = typeof clientId === "string" ? this.#guests.get(clientId) : undefined;
    if (guest === undefined || guest.mailbox.size >= WAITING_MAX) {
      message.error =
        guest === undefined ? `401:${clientId ?? ""}:Unknown client` : "503::Too many messages at a time";
      proceed();
      return;
    }
    guest.mailbox.post(() => {
      const wanted = this.#wanted(guest.identity, message);
      return this.#settle(wanted, message, proceed);
    });
  }

  /** The error of what it may not do. */
  async #wanted(identity: Identity | undefined, message: FayeMessage): Promise<string | undefined> {
    const { channel } = message;
    if (typeof channel !== "string") return undefined;
    if (channel === "/meta/subscribe") {
      for (const name of channelsOf(message.subscription) ?? [])
        if (!(await this.#maySubscribe(identity, name, message.ext))) return `403:${name}:Forbidden channel`;
      return undefined;
    }
    if (isMeta(channel)) return undefined;
    const topic = this.#settings.names.subjectOf(channel);
    const may = topic !== undefined && (await this.#gate.may(identity, { kind: "publish", topic }));
    return may ? undefined : `403:${channel}:Forbidden channel`;
  }

  async #maySubscribe(identity: Identity | undefined, channel: string, ext: unknown): Promise<boolean> {
    const topic = this.#settings.names.subjectOf(channel);
    if (topic === undefined || !(await this.#gate.may(identity, { kind: "watch", topic }))) return false;
    if (!matches(this.#settings.channelRe, channel)) return true;
    const request = readRequest(ext, this.#settings.limits);
    // Presence itself says what is wrong with it.
    if (typeof request === "string") return true;
    const key = this.#settings.names.keyOf(request.id) ?? request.id;
    return this.#gate.may(identity, { kind: "track", topic, key });
  }

  /** Never rejects: Faye does not expect anybody to throw at it later. */
  async #settle(work: Promise<string | undefined>, message: FayeMessage, proceed: () => void): Promise<void> {
    try {
      const refused = await work.catch((error: unknown) => {
        this.#failed(error);
        return "500::Internal server error";
      });
      if (refused !== undefined) message.error = refused;
      proceed();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const message = `a message of a client was not dealt with: ${String(error)}`;
    this.#notice({ type: "message-failed", level: "error", message, error });
  }
}
