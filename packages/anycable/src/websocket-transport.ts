/** Connections over WebSocket: the only transport of the protocols. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { admitUpgrade, Backlog } from "presently/drop-in";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Entrant, Refused } from "./admission.ts";
import type { Limits } from "./limits.ts";
import { chooseProtocol, offeredProtocols } from "./protocol.ts";
import type { Outlet } from "./session.ts";

/** How long a client may take to confirm that it was closed. */
const CLOSE_GRACE_MS = 2_000;

/** Pieces of one message. Browsers and libraries send a message of this size in one. */
const FRAGMENTS_MAX = 256;

/** Who is told of what a client does. */
export interface Client {
  receive(text: string): void;
  pong(number: number): void;
  lost(): void;
  /** Too much waits for it to read. */
  overflowed(): void;
}

export interface WebSocketTransportOptions {
  readonly limits: Limits;
  /** Whether there may be one more connection; an HTTP status if not. Never rejects. */
  readonly admit: (request: IncomingMessage) => Promise<Entrant | Refused>;
  /** What a connection is to be; it may settle later, and never rejects. */
  readonly open: (entrant: Entrant, socket: ClientSocket) => void;
}

export class WebSocketTransport {
  readonly #options: WebSocketTransportOptions;
  readonly #server: WebSocketServer;

  constructor(options: WebSocketTransportOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.limits.frameBytesMax,
      // Every piece costs more than its bytes.
      maxFragments: FRAGMENTS_MAX,
      handleProtocols: (offered) => chooseProtocol([...offered]) ?? false,
    });
    this.#server.on("headers", (headers) => headers.push("X-AnyCable-Version: presently"));
  }

  /** Takes an upgrade request, and answers it in any case. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { admit, open, limits } = this.#options;
    const offered = offeredProtocols(request.headers["sec-websocket-protocol"]);
    const isOurs = request.method === "GET" && chooseProtocol(offered) !== undefined;
    void admitUpgrade<Entrant>(
      stream,
      () => (isOurs ? admit(request) : 400),
      (entrant) =>
        this.#server.handleUpgrade(request, stream, head, (socket) =>
          open(entrant, new ClientSocket(socket, limits)),
        ),
    );
  }
}

/** One client's WebSocket. What comes before somebody listens waits. */
export class ClientSocket implements Outlet {
  readonly #socket: WebSocket;
  readonly #limits: Limits;
  readonly #backlog = new Backlog();
  #client: Client | undefined;
  #closed = false;
  #overflowed = false;

  constructor(socket: WebSocket, limits: Limits) {
    this.#socket = socket;
    this.#limits = limits;
    // A client speaks after it was welcomed; until then nothing is read.
    socket.pause();
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("pong", (data) => this.#client?.pong(Number(data.toString("latin1"))));
    // The library closes the socket itself when what comes is no WebSocket frame, or too large a one.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#closed = true;
      this.#client?.lost();
    });
  }

  /** Whether the client is gone. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Begins to read. */
  listen(client: Client): void {
    this.#client = client;
    this.#socket.resume();
    if (this.#closed) client.lost();
  }

  send(frame: string): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN || this.#overflowed) return;
    if (this.#backlog.exceeds(this.#limits.bufferedBytesMax, socket.bufferedAmount, frame.length)) {
      this.#overflowed = true;
      this.#client?.overflowed();
    } else socket.send(frame);
  }

  ping(number: number): void {
    const socket = this.#socket;
    if (socket.readyState === socket.OPEN) socket.ping(String(number));
  }

  close(code: number, reason: string): void {
    const socket = this.#socket;
    socket.resume();
    socket.close(code, reason.slice(0, 100));
    const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
    socket.once("close", () => clearTimeout(timer));
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    // The protocols are text; the socket delivers Buffers, which is what its binaryType is unless one changes it.
    // Bytes are no command, and count as one.
    this.#client?.receive(isBinary ? "" : (data as Buffer).toString("utf8"));
  }
}
