/** Who may connect, and with which session: the way from an open WebSocket to the first frame. */
import type { IncomingMessage } from "node:http";
import type { OriginCheck } from "presently/drop-in";
import { CLOSE } from "./close-code.ts";
import { disconnect } from "./frames.ts";
import type { ConnectionInfo, Identified, Identify } from "./identification.ts";
import { chooseProtocol, offeredProtocols, pingIntervalMs, pingPrecision, tokenIn } from "./protocol.ts";
import { CableSession, type ConnectionOptions } from "./session.ts";
import type { SessionServices } from "./session-services.ts";
import type { SessionTable } from "./session-table.ts";
import { inTime } from "./settle.ts";
import type { ClientSocket } from "./websocket-transport.ts";

export interface AdmissionOptions {
  readonly services: SessionServices;
  readonly sessions: SessionTable;
  readonly identify: Identify;
  readonly jwtParam: string;
  readonly checkOrigin: OriginCheck;
  readonly closing: () => boolean;
}

export class Admission {
  readonly #options: AdmissionOptions;
  #pending = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether a connection may be opened at all. */
  admit({ headers }: IncomingMessage): 403 | 503 | undefined {
    const { services, sessions, checkOrigin, closing } = this.#options;
    if (closing() || sessions.connected + this.#pending >= services.limits.connectionsMax) return 503;
    return checkOrigin(headers.origin, headers.host) ? undefined : 403;
  }

  /** Finds the session that the client wants to go on with, or begins one; or sends the client away. */
  open(request: IncomingMessage, socket: ClientSocket): void {
    this.#pending++;
    void this.#open(request, socket)
      .catch((error: unknown) => {
        const message = "authenticate failed: a client was refused";
        this.#options.services.notice({ type: "callback-failed", level: "error", message, error });
        refuse(socket, "unauthorized");
      })
      .finally(() => this.#pending--);
  }

  async #open(request: IncomingMessage, socket: ClientSocket): Promise<void> {
    const { services, sessions, identify, closing } = this.#options;
    const offered = offeredProtocols(request.headers["sec-websocket-protocol"]);
    const info = this.#infoOf(request, offered);
    const connection: ConnectionOptions = {
      outlet: socket,
      sid: sessions.newSid(),
      extended: chooseProtocol(offered) === "actioncable-v1-ext-json",
      pingIntervalMs: pingIntervalMs(info.params.get("pi"), services.durations.pingIntervalMs),
      pingPrecision: pingPrecision(info.params.get("ptp")),
    };
    const previous = connection.extended ? await this.#previous(info) : undefined;
    if (previous !== undefined) {
      this.#begin(previous, socket, () => previous.resume(connection));
      return;
    }
    const identified: Identified = await inTime(
      identify(info, connection.sid),
      services.limits.callbackTimeoutMs,
    );
    if ("refused" in identified) {
      const message = `a client was not let in: ${identified.refused}`;
      services.notice({ type: "unauthorized", level: "debug", message });
      refuse(socket, identified.refused);
      return;
    }
    if (closing() || socket.closed) {
      socket.close(CLOSE.goingAway, "connect to another node");
      return;
    }
    const session = new CableSession(services, identified.identifiers);
    this.#begin(session, socket, () => session.connect(connection));
  }

  #begin(session: CableSession, socket: ClientSocket, begin: () => void): void {
    const { sessions } = this.#options;
    begin();
    sessions.add(session);
    const { sid } = session;
    // A connection that was replaced speaks for nobody.
    const isCurrent = () => session.connected && session.sid === sid;
    socket.listen({
      receive: (text) => isCurrent() && session.receive(text),
      pong: (number) => isCurrent() && session.pong(number),
      lost: () => isCurrent() && sessions.lost(session),
      overflowed: () => isCurrent() && session.disconnect("too_slow", true),
    });
  }

  #previous({ headers, params }: ConnectionInfo) {
    const header = headers["x-anycable-restore-sid"];
    const sid = typeof header === "string" ? header : params.get("sid");
    return sid ? this.#options.sessions.take(sid) : undefined;
  }

  #infoOf({ headers, url = "", socket }: IncomingMessage, offered: readonly string[]): ConnectionInfo {
    const { jwtParam } = this.#options;
    const mark = url.indexOf("?");
    const params = new Map(new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1)));
    const header = headers[`x-${jwtParam.toLowerCase()}`];
    const token =
      (typeof header === "string" ? header : undefined) || tokenIn(offered) || params.get(jwtParam);
    return { headers, params, url, remoteAddress: socket.remoteAddress, token: token || undefined };
  }
}

/** The client is told, and does not come back by itself. */
function refuse(socket: ClientSocket, reason: "unauthorized" | "token_expired"): void {
  socket.send(disconnect(reason, false));
  socket.close(CLOSE.normal, reason);
}
