/**
 * Hands requests and upgrades on to another process of the group, over a Unix socket in a directory that nobody else may
 * enter: for the few that came in at the wrong one. Sockets could be passed instead; but a connection that a browser or
 * a proxy keeps open carries the requests of many sessions, and so is nobody's.
 */

import { rmSync } from "node:fs";
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { type Duplex, pipeline } from "node:stream";
import { refuseUpgrade } from "../../drop-in/refuse-upgrade.ts";
import type { Slot } from "./affinity.ts";

export interface RelayOptions {
  /** Of the group's sockets. */
  readonly directory: string;
  readonly slot: Slot;
  /** The server that the others' requests are for, once there is one. */
  readonly server: () => Server | undefined;
  /** What this process answers to `ask`. */
  readonly answer: () => Promise<unknown>;
}

/** Says, from process to process, where the client is. It is taken away from what clients send. */
const ADDRESS_HEADER = "x-presently-relayed-for";
const ASK_HEADER = "x-presently-relay-ask";

/** Of one connection, and do not go beyond it. `expect` was answered when the body was asked for. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/** Larger than what the outer server takes, which has checked it already. */
const HEADER_BYTES_MAX = 1_048_576;
const ASK_TIMEOUT_MS = 2_000;
const ASK_BYTES_MAX = 16_777_216;

export class Relay {
  readonly #options: RelayOptions;
  readonly #inner: Server;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });
  readonly #relayed = new WeakSet<IncomingMessage>();
  readonly #tunnels = new Set<Duplex>();

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#inner = createServer({ maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: 0 });
    this.#inner.on("request", (request, response) => this.#receive(request, response));
    this.#inner.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      this.#claim(request);
      this.#keep(stream);
      const server = this.#options.server();
      if (server === undefined) refuseUpgrade(stream, 503);
      else server.emit("upgrade", request, stream, head);
    });
  }

  /** Takes what the others hand on. */
  listen(): Promise<void> {
    // A process that crashed leaves its socket behind.
    rmSync(this.#pathOf(this.#options.slot), { force: true });
    return new Promise((resolve, reject) => {
      this.#inner.once("error", reject);
      // Exclusive: of this process, and not shared among the cluster's workers.
      this.#inner.listen({ path: this.#pathOf(this.#options.slot), exclusive: true }, () => {
        this.#inner.off("error", reject);
        resolve();
      });
    });
  }

  /** Whether another process has handed it on: then it is to be served here, and went through the checks there. */
  isRelayed(request: IncomingMessage): boolean {
    return this.#relayed.has(request);
  }

  /** Answers with what the other process answers; by 503 if it does not run. */
  relay(slot: Slot, request: IncomingMessage, response: ServerResponse): void {
    const outgoing = httpRequest({
      socketPath: this.#pathOf(slot),
      agent: this.#agent,
      method: request.method,
      path: request.url,
      headers: headersFor(request),
      setHost: false,
    });
    outgoing.on("response", (incoming) => {
      const headers: OutgoingHttpHeaders = endToEnd(incoming);
      if (incoming.headers.connection === "close") headers.connection = "close";
      response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, headers);
      // Whichever breaks off ends the other: half an answer must not look like a whole one.
      pipeline(incoming, response, () => undefined);
    });
    outgoing.on("error", () => {
      if (response.headersSent) response.destroy();
      else refuse(request, response);
    });
    response.on("close", () => outgoing.destroy());
    request.pipe(outgoing);
  }

  /** Joins the connection with the other process, which answers the upgrade. */
  relayUpgrade(slot: Slot, request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const tunnel = connect(this.#pathOf(slot));
    let connected = false;
    this.#keep(stream);
    tunnel.once("connect", () => {
      connected = true;
      tunnel.write(requestHead(request), "latin1");
      if (head.length > 0) tunnel.write(head);
      stream.pipe(tunnel).pipe(stream);
    });
    tunnel.on("error", () => {
      if (connected) stream.destroy();
      else refuseUpgrade(stream, 503);
    });
    stream.on("error", () => tunnel.destroy());
    tunnel.on("close", () => stream.end());
    stream.on("close", () => tunnel.destroy());
  }

  /** What another process answers; undefined if it does not within two seconds. */
  ask(slot: Slot): Promise<unknown> {
    return new Promise((resolve) => {
      const giveUp = () => resolve(undefined);
      const headers = { [ASK_HEADER]: "1", host: "localhost" };
      const outgoing = httpRequest({ socketPath: this.#pathOf(slot), agent: this.#agent, headers });
      outgoing.setTimeout(ASK_TIMEOUT_MS, () => outgoing.destroy(new Error("no answer in time")));
      outgoing.on("error", giveUp);
      outgoing.on("response", (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size <= ASK_BYTES_MAX) chunks.push(chunk);
        });
        incoming.on("error", giveUp);
        incoming.on("end", () =>
          resolve(
            size > ASK_BYTES_MAX || incoming.statusCode !== 200
              ? undefined
              : JSON.parse(Buffer.concat(chunks).toString("utf8")),
          ),
        );
      });
      outgoing.end();
    });
  }

  /** Ends what was handed on, and takes no more. */
  async close(): Promise<void> {
    for (const stream of this.#tunnels) stream.destroy();
    this.#agent.destroy();
    const closed = new Promise<void>((resolve) => this.#inner.close(() => resolve()));
    this.#inner.closeAllConnections();
    await closed;
  }

  /** A server does not end what has been upgraded. */
  #keep(stream: Duplex): void {
    this.#tunnels.add(stream);
    stream.once("close", () => this.#tunnels.delete(stream));
  }

  #pathOf(slot: Slot): string {
    return join(this.#options.directory, `${slot}.sock`);
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    if (request.headers[ASK_HEADER] === undefined) {
      this.#claim(request);
      const server = this.#options.server();
      if (server === undefined) refuse(request, response);
      else server.emit("request", request, response);
      return;
    }
    this.#options.answer().then(
      (answer) => response.end(JSON.stringify(answer)),
      () => response.writeHead(500).end(),
    );
  }

  /** From here on the request looks as it came to the other process: limits and logs go by the client's address. */
  #claim(request: IncomingMessage): void {
    const address = request.headers[ADDRESS_HEADER];
    delete request.headers[ADDRESS_HEADER];
    Object.defineProperty(request.socket, "remoteAddress", { value: address, configurable: true });
    this.#relayed.add(request);
  }
}

function headersFor(request: IncomingMessage): OutgoingHttpHeaders {
  return { ...endToEnd(request), [ADDRESS_HEADER]: request.socket.remoteAddress ?? "" };
}

/** The header fields that are for the other end, without those that only processes of the group say. */
function endToEnd({ headers }: { headers: IncomingHttpHeaders }): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !isOurs(name)),
  );
}

function isOurs(name: string): boolean {
  return name === ADDRESS_HEADER || name === ASK_HEADER;
}

/** The request as it came, in the spelling in which it came: an upgrade is for the other process to judge. */
function requestHead(request: IncomingMessage): string {
  const lines = [`${request.method} ${request.url} HTTP/1.1`];
  const { rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name, value] = [rawHeaders[index]!, rawHeaders[index + 1]!];
    if (!isOurs(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  lines.push(`${ADDRESS_HEADER}: ${request.socket.remoteAddress ?? ""}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** As the node answers while it stops. */
function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const body = `${JSON.stringify({
    error: { code: "NOT_READY", message: "the process that this belongs to is being started: try again" },
  })}\n`;
  response.writeHead(503, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "retry-after": "1",
  });
  response.end(body);
}
