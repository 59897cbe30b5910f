/** The listening side: takes WebSocket upgrades and nothing else, and bounds what strangers can hold open. */
import { createServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer, type Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import { ListenError } from "./errors.ts";
import { Patience } from "./patience.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { serverRefusal, type TlsOptions, untrustedClient } from "./tls.ts";

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  /** With it, the server speaks TLS and nothing else. */
  readonly tls?: TlsOptions | undefined;
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
  readonly #http: HttpServer | HttpsServer;
  readonly #webSockets: WebSocketServer;
  /** Connections whose TLS handshake is under way: HTTP does not know of them yet. */
  readonly #shakingHands = new Map<string, Socket>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.frameBytesMax,
    });
    const { longestMs } = new Patience(options.handshakeTimeoutMs);
    const timeouts = {
      // Whoever connects and says nothing is cut by the server itself.
      headersTimeout: longestMs,
      requestTimeout: longestMs,
      connectionsCheckingInterval: Math.ceil(options.handshakeTimeoutMs / 4),
    };
    this.#http =
      options.tls === undefined ? createServer(timeouts) : this.#createTlsServer(options.tls, timeouts);
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
      // Exclusive: a worker of node:cluster is a node of its own, and must not share its port with the others.
      this.#http.listen({ port, host, exclusive: true }, () => {
        this.#http.off("error", onError);
        this.#http.on("error", this.#options.onError);
        resolve();
      });
    });
    const address = this.#http.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** New connections are met with this certificate; those that are open stay as they are. */
  renewTls({ cert, key, ca }: TlsOptions): void {
    (this.#http as HttpsServer).setSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) });
  }

  /** Takes no more connections, and ends those that are not WebSockets. Resolves when all connections are gone. */
  async close(): Promise<void> {
    if (!this.#http.listening) return;
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
      for (const stream of this.#shakingHands.values()) stream.destroy();
    });
  }

  #createTlsServer({ cert, key, ca, requestClientCertificate }: TlsOptions, timeouts: object): HttpsServer {
    const { handshakeTimeoutMs, onRefused } = this.#options;
    const mutual = requestClientCertificate === true;
    const server = createTlsServer({
      ...timeouts,
      cert,
      key,
      ...(ca === undefined ? {} : { ca }),
      requestCert: mutual,
      // Refused here, not by the library, which would have closed the connection before it tells us whose it was.
      rejectUnauthorized: false,
      handshakeTimeout: new Patience(handshakeTimeoutMs).longestMs,
    });
    server.on("connection", (stream: Socket) => {
      const remote = describeRemote(stream);
      this.#shakingHands.set(remote, stream);
      stream.once("close", () => this.#shakingHands.delete(remote));
    });
    // Before HTTP reads a byte of it.
    server.prependListener("secureConnection", (stream) => {
      const remote = describeRemote(stream);
      this.#shakingHands.delete(remote);
      if (!mutual || stream.authorized) return;
      onRefused(untrustedClient(stream), remote);
      stream.destroy();
    });
    server.on("tlsClientError", (error, stream) => {
      const why = serverRefusal(error);
      if (why !== undefined) onRefused(why, describeRemote(stream));
      stream.destroy();
    });
    return server;
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { admits, onSocket, onRefused } = this.#options;
    if (this.#options.tls?.requestClientCertificate === true && !(stream as Partial<TLSSocket>).authorized) {
      // Refused long before; what guards the door is worth looking at twice.
      stream.destroy();
    } else if (request.headers.origin !== undefined) {
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
