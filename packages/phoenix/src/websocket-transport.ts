/** Connections over WebSocket, at `<path>/websocket`. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { admitUpgrade, Backlog } from "presently/drop-in";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { type Admission, type Admitted, type Asked, queryIn } from "./admission.ts";
import { CLOSE } from "./close-code.ts";
import type { Connection, Outlet } from "./connection.ts";
import type { Frame } from "./frame.ts";
import type { Limits } from "./limits.ts";

const SUBPROTOCOL = "phoenix";
const TOKEN_PREFIX = "base64url.bearer.phx.";
/** Silence is looked for this many times in `idleTimeoutMs`. */
const IDLE_CHECKS = 4;
/** Pieces of one message. Browsers and libraries send a message of this size in one. */
const FRAGMENTS_MAX = 256;
/** How long a client may take to confirm that it was closed. */
const LINGER_MS = 2_000;

export interface WebSocketTransportOptions {
  readonly admission: Admission;
  readonly limits: Limits;
  readonly open: (admitted: Admitted, outlet: Outlet) => Connection;
}

export class WebSocketTransport {
  readonly #options: WebSocketTransportOptions;
  readonly #server: WebSocketServer;
  readonly #sockets = new Set<ClientSocket>();
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(options: WebSocketTransportOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.limits.frameBytesMax,
      // Every piece costs more than its bytes.
      maxFragments: FRAGMENTS_MAX,
      // A client that asked for the sub-protocol fails if it is not answered with it.
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    });
  }

  /** Takes an upgrade request, and answers it in any case. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const admit = () => {
      if (request.method !== "GET") return 400;
      const authToken = tokenIn(request.headers["sec-websocket-protocol"]);
      const asked: Asked = { transport: "websocket", authToken, query: queryIn(request.url) };
      return this.#options.admission.admit(request, asked);
    };
    void admitUpgrade<Admitted>(stream, admit, (admitted) =>
      this.#server.handleUpgrade(request, stream, head, (socket) => this.#opened(socket, admitted)),
    );
  }

  #opened(socket: WebSocket, admitted: Admitted): void {
    const { limits, open } = this.#options;
    const client = new ClientSocket(socket, limits, () => this.#closed(client));
    client.connection = open(admitted, client);
    this.#sockets.add(client);
    this.#idleTimer ??= setInterval(() => this.#checkIdle(), limits.idleTimeoutMs / IDLE_CHECKS);
  }

  #closed(client: ClientSocket): void {
    this.#sockets.delete(client);
    if (this.#sockets.size > 0) return;
    clearInterval(this.#idleTimer);
    this.#idleTimer = undefined;
  }

  /** One timer for all: no timer has to be moved for each message that comes. */
  #checkIdle(): void {
    for (const client of this.#sockets) client.checkIdle();
  }
}

/** What the library closes a socket for. */
const BROKEN: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: CLOSE.tooLarge,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: CLOSE.policy,
};

/** One client's WebSocket. */
class ClientSocket implements Outlet {
  readonly takesBinary = true;
  readonly #backlog = new Backlog();
  connection: Connection | undefined;
  readonly #socket: WebSocket;
  readonly #limits: Limits;
  /** How often in a row nothing had come. It counts looks, not time: a process that was stalled must not blame its clients. */
  #idleChecks = 0;

  constructor(socket: WebSocket, limits: Limits, closed: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("ping", () => this.#heard());
    socket.on("pong", () => this.#heard());
    // The library closes the socket itself when what comes is no WebSocket frame, or too large a one.
    socket.on("error", (error: Error & { code?: string }) => {
      if (!error.code?.startsWith("WS_ERR_")) return;
      this.connection?.broken(BROKEN[error.code] ?? CLOSE.malformed, error.message);
    });
    socket.on("close", () => {
      this.connection?.lost();
      closed();
    });
  }

  send(frame: Frame): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    const { bufferedBytesMax } = this.#limits;
    if (this.#backlog.exceeds(bufferedBytesMax, socket.bufferedAmount, frame.size)) {
      this.connection?.close(CLOSE.slow, `more than ${bufferedBytesMax} bytes wait to be read`);
      return;
    }
    const { pieces, isBinary: binary } = frame;
    for (const [index, piece] of pieces.entries())
      socket.send(piece, { binary, fin: index === pieces.length - 1 });
  }

  close(code: number, reason: string): void {
    const socket = this.#socket;
    socket.close(code, cutReason(reason));
    const timer = setTimeout(() => socket.terminate(), LINGER_MS);
    socket.once("close", () => clearTimeout(timer));
  }

  checkIdle(): void {
    if (++this.#idleChecks > IDLE_CHECKS)
      this.connection?.close(CLOSE.goingAway, "nothing came for too long");
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#heard();
    // The socket delivers Buffers, which is what its binaryType is unless one changes it.
    const bytes = data as Buffer;
    this.connection?.receive(isBinary ? bytes : bytes.toString("utf8"));
  }

  #heard(): void {
    this.#idleChecks = 0;
  }
}

/** The token that a client sends as its second sub-protocol. Its base64 is the standard one, whatever its prefix says. */
function tokenIn(protocols: string | undefined): string | undefined {
  const offered = protocols?.split(",").map((protocol) => protocol.trim()) ?? [];
  const token = offered.find((protocol) => protocol.startsWith(TOKEN_PREFIX));
  if (token === undefined || !offered.includes(SUBPROTOCOL)) return undefined;
  return Buffer.from(token.slice(TOKEN_PREFIX.length), "base64").toString("utf8");
}

/** A close frame has room for 123 bytes. */
function cutReason(reason: string): string {
  let cut = reason.slice(0, 123);
  while (Buffer.byteLength(cut) > 123) cut = cut.slice(0, -1);
  return cut;
}
