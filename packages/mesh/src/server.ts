/** The listening side: takes WebSocket upgrades and nothing else, and bounds what strangers can hold open. */
import { createServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { ListenError } from "./errors.ts";
import { type Refusal, refusal } from "./refusal.ts";

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly frameBytesMax: number;
  readonly handshakeTimeoutMs: number;
  /** Connections of any kind at a time. */
  readonly connectionsMax: number;
  /** Whether one more handshake may begin. */
  readonly admits: () => boolean;
  readonly onSocket: (socket: WebSocket, stream: Socket) => void;
  readonly onRefused: (why: Refusal, remote: string) => void;
  /** The system could not accept a connection, for want of file descriptors say. It goes on listening. */
  readonly onError: (error: Error) => void;
}

/** An HTTP server that answers 426 to everything but upgrades to WebSocket. */
export class Server {
  readonly #options: ServerOptions;
  readonly #http: HttpServer;
  readonly #webSockets: WebSocketServer;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.frameBytesMax,
    });
    this.#http = createServer({
      // Whoever connects and says nothing is cut by the server itself.
      headersTimeout: options.handshakeTimeoutMs,
      requestTimeout: options.handshakeTimeoutMs,
      connectionsCheckingInterval: Math.ceil(options.handshakeTimeoutMs / 4),
    });
    this.#http.maxConnections = options.connectionsMax;
    this.#http.on("request", (_request, response) => {
      response.writeHead(426, { Connection: "close", Upgrade: "websocket", "Content-Type": "text/plain" });
      response.end("Presently mesh: WebSocket only\n");
    });
    this.#http.on("upgrade", (request, stream, head) => this.#upgrade(request, stream, head));
    this.#http.on("drop", (data) => {
      const reason = `more than ${options.connectionsMax} connections at a time`;
      options.onRefused(refusal("BUSY", reason), remoteOf(data?.remoteAddress, data?.remotePort));
    });
    this.#http.on("clientError", (error: Error & { code?: string }, stream: Duplex) => {
      const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
      // A connection that merely broke has sent nothing wrong.
      if (late || error.code?.startsWith("HPE_")) {
        const why = refusal(late ? "TIMEOUT" : "MALFORMED", `no WebSocket upgrade: ${error.message}`);
        options.onRefused(why, describeRemote(stream));
      }
      stream.destroy();
    });
  }

  /** Listens; gives the port. @throws {ListenError} */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error) => reject(new ListenError(host, port, error));
      this.#http.once("error", onError);
      this.#http.listen(port, host, () => {
        this.#http.off("error", onError);
        this.#http.on("error", this.#options.onError);
        resolve();
      });
    });
    const address = this.#http.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** Takes no more connections, and ends those that are not WebSockets. Resolves when all connections are gone. */
  async close(): Promise<void> {
    if (!this.#http.listening) return;
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { admits, onSocket, onRefused } = this.#options;
    if (request.headers.origin !== undefined) {
      // Only browsers say where they come from: a page must not speak to a mesh on its visitor's machine.
      onRefused(refusal("FORBIDDEN_ORIGIN", "a web page tried to connect"), describeRemote(stream));
      answer(stream, "403 Forbidden");
    } else if (!admits()) {
      onRefused(refusal("BUSY", "too many handshakes are under way"), describeRemote(stream));
      answer(stream, "503 Service Unavailable");
    } else {
      this.#webSockets.handleUpgrade(request, stream, head, (socket) => onSocket(socket, request.socket));
    }
  }
}

function answer(stream: Duplex, status: string): void {
  // The stream has no other listener; an error here only says that the refused one is gone already.
  stream.on("error", () => stream.destroy());
  stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => stream.destroy());
}

function describeRemote(stream: Duplex): string {
  const { remoteAddress, remotePort } = stream as Partial<Socket>;
  return remoteOf(remoteAddress, remotePort);
}

/** The other end of a connection, for people. */
export function remoteOf(host: string | undefined, port: number | undefined): string {
  return host === undefined ? "an unknown host" : `${host}:${port}`;
}
