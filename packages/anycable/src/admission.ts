/** Who may connect, and with which session: the way from an open WebSocket to the first frame. */
import type { IncomingMessage } from "node:http";
import { bearerTokenOf, type Gate, type Identity, type OriginCheck, REFUSAL_STATUS } from "presently/drop-in";
import { CLOSE } from "./close-code.ts";
import { disconnect } from "./frames.ts";
import { type ConnectionInfo, type Identified, type Identify, saysExpired } from "./identification.ts";
import { chooseProtocol, offeredProtocols, pingIntervalMs, pingPrecision, tokenIn } from "./protocol.ts";
import { CableSession, type ConnectionOptions } from "./session.ts";
import type { SessionServices } from "./session-services.ts";
import type { SessionTable } from "./session-table.ts";
import { inTime } from "./settle.ts";
import type { ClientSocket } from "./websocket-transport.ts";

/** Why a client is sent away, as the protocol has it. */
type Refusal = "unauthorized" | "token_expired";

/** An HTTP status: 403 a page of another site, 429 too many of one address, 500 a hook failed, 503 no room, starting or draining. */
export type Refused = 403 | 429 | 500 | 503;

/** Whoever gets a WebSocket, if only to be told why they are sent away. */
export interface Entrant {
  readonly info: ConnectionInfo;
  readonly refused: Refusal | undefined;
  /** The connection has ended, or was never made. Further calls do nothing. */
  release(): void;
}

export interface AdmissionOptions {
  readonly services: SessionServices;
  readonly sessions: SessionTable;
  readonly identify: Identify;
  readonly jwtParam: string;
  readonly checkOrigin: OriginCheck;
  readonly gate: Gate;
  /** Where a request comes from. */
  readonly addressOf: (request: IncomingMessage) => string | undefined;
  readonly closing: () => boolean;
}

export class Admission {
  readonly #options: AdmissionOptions;
  #pending = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether a connection may be opened at all. Never rejects. */
  async admit(request: IncomingMessage): Promise<Entrant | Refused> {
    const { services, sessions, checkOrigin, gate, closing } = this.#options;
    const { headers } = request;
    if (closing() || sessions.connected + this.#pending >= services.limits.connectionsMax) return 503;
    if (!checkOrigin(headers.origin, headers.host)) return 403;
    const info = this.#infoOf(request);
    const { token, remoteAddress: address } = info;
    this.#pending++;
    const params = Object.fromEntries(info.params);
    const entered = await gate.admit({ token: token ?? bearerTokenOf(headers), params, headers, address });
    this.#pending--;
    if (entered.ok) {
      const { identity, release } = entered;
      return { info: { ...info, identity }, release, refused: undefined };
    }
    if (entered.reason !== "unauthenticated") return REFUSAL_STATUS[entered.reason];
    // The protocol has words for it, which clients hear only behind the handshake.
    return { info, release: () => undefined, refused: saysExpired(token) ? "token_expired" : "unauthorized" };
  }

  /** Finds the session that the client wants to go on with, or begins one; or sends the client away. */
  open({ info, refused }: Entrant, socket: ClientSocket): void {
    if (refused !== undefined) {
      this.#refuse(socket, refused);
      return;
    }
    this.#pending++;
    void this.#open(info, socket)
      .catch((error: unknown) => {
        const message = "authenticate failed: a client was refused";
        this.#options.services.notice({ type: "callback-failed", level: "error", message, error });
        refuse(socket, "unauthorized");
      })
      .finally(() => this.#pending--);
  }

  async #open(info: ConnectionInfo, socket: ClientSocket): Promise<void> {
    const { services, sessions, identify, closing } = this.#options;
    const offered = offeredProtocols(info.headers["sec-websocket-protocol"]);
    const connection: ConnectionOptions = {
      outlet: socket,
      sid: sessions.newSid(),
      extended: chooseProtocol(offered) === "actioncable-v1-ext-json",
      pingIntervalMs: pingIntervalMs(info.params.get("pi"), services.durations.pingIntervalMs),
      pingPrecision: pingPrecision(info.params.get("ptp")),
      identity: info.identity,
    };
    const previous = connection.extended ? await this.#previous(info) : undefined;
    if (previous !== undefined) {
      this.#begin(previous, socket, info.identity, () => previous.resume(connection));
      return;
    }
    const identified: Identified = await inTime(
      identify(info, connection.sid),
      services.limits.callbackTimeoutMs,
    );
    if ("refused" in identified) {
      this.#refuse(socket, identified.refused);
      return;
    }
    if (closing() || socket.closed) {
      socket.close(CLOSE.goingAway, "connect to another node");
      return;
    }
    const session = new CableSession(services, identified.identifiers);
    this.#begin(session, socket, info.identity, () => session.connect(connection));
  }

  #begin(
    session: CableSession,
    socket: ClientSocket,
    identity: Identity | undefined,
    begin: () => void,
  ): void {
    const { sessions, gate } = this.#options;
    begin();
    sessions.add(session);
    const { sid } = session;
    // A connection that was replaced speaks for nobody.
    const isCurrent = () => session.connected && session.sid === sid;
    // The client's token refresher waits for these words.
    const unwatch = gate.onExpire(identity, () => isCurrent() && session.disconnect("token_expired", false));
    socket.listen({
      receive: (text) => isCurrent() && session.receive(text),
      pong: (number) => isCurrent() && session.pong(number),
      lost: () => {
        unwatch();
        if (isCurrent()) sessions.lost(session);
      },
      overflowed: () => isCurrent() && session.disconnect("too_slow", true),
    });
  }

  #previous({ headers, params, identity }: ConnectionInfo) {
    const header = headers["x-anycable-restore-sid"];
    const sid = typeof header === "string" ? header : params.get("sid");
    return sid ? this.#options.sessions.take(sid, identity?.id) : undefined;
  }

  #infoOf(request: IncomingMessage): ConnectionInfo {
    const { jwtParam, addressOf } = this.#options;
    const { headers, url = "" } = request;
    const offered = offeredProtocols(headers["sec-websocket-protocol"]);
    const mark = url.indexOf("?");
    const params = new Map(new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1)));
    const header = headers[`x-${jwtParam.toLowerCase()}`];
    const token =
      (typeof header === "string" ? header : undefined) || tokenIn(offered) || params.get(jwtParam);
    const remoteAddress = addressOf(request);
    return { headers, params, url, remoteAddress, token: token || undefined, identity: undefined };
  }

  /** The client is told, and does not come back by itself. */
  #refuse(socket: ClientSocket, reason: Refusal): void {
    const message = `a client was not let in: ${reason}`;
    this.#options.services.notice({ type: "unauthorized", level: "debug", message });
    refuse(socket, reason);
  }
}

function refuse(socket: ClientSocket, reason: Refusal): void {
  socket.send(disconnect(reason, false));
  socket.close(CLOSE.normal, reason);
}
