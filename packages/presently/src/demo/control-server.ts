/** The HTTP face of a running demo: what the page's buttons call. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PresentlyError } from "@presently/replica";
import { namesOneHost } from "../drop-in/one-host.ts";
import type { Demo } from "./demo.ts";
import { ControlRequestError, UnknownPartError } from "./errors.ts";

const BODY_BYTES_MAX = 1024;

/**
 * Listens on loopback, for the pages of the demo's own nodes and for programs that are no browser (no `Origin`).
 *
 * | request | effect |
 * |---|---|
 * | `GET /state` | none |
 * | `POST /links/:a/:b` with `{"cut": true}` or `{"cut": false}` | cuts or restores the link |
 * | `POST /nodes/:name/kill` | SIGKILL |
 * | `POST /nodes/:name/restart` | starts the node; one that runs is stopped first |
 * | `POST /nodes/:name/pause`, `/resume` | SIGSTOP, SIGCONT |
 *
 * Each answers 200 with the `DemoState` after it, or `{ "error": { "code", "message" } }`.
 */
export class ControlServer {
  readonly #demo: Demo;
  readonly #log: (line: string) => void;
  readonly #server: Server;

  constructor(demo: Demo, log: (line: string) => void) {
    this.#demo = demo;
    this.#log = log;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Idempotent; requests under way are cut off. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#admit(request, response);
      if (request.method === "OPTIONS") {
        response.writeHead(204).end();
        return;
      }
      await this.#act(request);
      send(response, 200, this.#demo.state());
    } catch (error) {
      const status = statusOf(error);
      if (status === 500) this.#log(`the control server failed: ${String(error)}`);
      const { code, message } =
        error instanceof PresentlyError
          ? error
          : { code: "INTERNAL", message: "the demo failed: see its output" };
      send(response, status, { error: { code, message } });
    }
  }

  /**
   * Any site that a browser visits can send requests to a loopback port. Whoever has an origin must therefore be one of
   * our pages, and the host that was asked for must be ours (else a foreign name could be pointed at this address).
   */
  #admit(request: IncomingMessage, response: ServerResponse): void {
    const { port } = new URL(this.url);
    const ours = [`127.0.0.1:${port}`, `localhost:${port}`];
    if (!namesOneHost(request) || !ours.includes(request.headers.host ?? "")) {
      throw new ControlRequestError(
        403,
        "FOREIGN_HOST",
        "the demo is controlled by its loopback address only",
      );
    }
    const { origin } = request.headers;
    if (origin === undefined) return;
    if (!this.#pageOrigins().includes(origin)) {
      throw new ControlRequestError(403, "FOREIGN_ORIGIN", "only the pages of this demo may control it");
    }
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-allow-methods", "GET, POST");
    response.setHeader("access-control-allow-headers", "content-type");
    response.setHeader("vary", "origin");
  }

  #pageOrigins(): string[] {
    return this.#demo.nodes.flatMap(({ url }) => [url, url.replace("//127.0.0.1:", "//localhost:")]);
  }

  async #act(request: IncomingMessage): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", this.url);
    const [kind, ...names] = pathname.slice(1).split("/").map(decodeSegment);
    const isPost = request.method === "POST";
    if (request.method === "GET" && pathname === "/state") return;
    if (isPost && kind === "links" && names.length === 2) {
      const link = this.#demo.link(names[0]!, names[1]!);
      const cut = await readCut(request);
      if (cut) link.cut();
      else link.restore();
      this.#log(`link ${link.ends.join("–")} ${cut ? "cut" : "restored"}`);
      return;
    }
    if (isPost && kind === "nodes" && names.length === 2) return this.#actOnNode(names[0]!, names[1]!);
    throw new ControlRequestError(404, "NOT_FOUND", `there is no ${request.method} ${pathname} here`);
  }

  async #actOnNode(name: string, action: string): Promise<void> {
    const node = this.#demo.node(name);
    switch (action) {
      case "kill":
        await node.kill();
        return this.#log(`${name} killed`);
      case "restart":
        await node.stop();
        await node.start();
        return this.#log(`${name} started again`);
      case "pause":
        node.pause();
        return this.#log(`${name} paused`);
      case "resume":
        node.resume();
        return this.#log(`${name} resumed`);
      default:
        throw new ControlRequestError(
          404,
          "NOT_FOUND",
          `a node cannot ${action}: kill, restart, pause or resume it`,
        );
    }
  }
}

function statusOf(error: unknown): number {
  if (error instanceof ControlRequestError) return error.status;
  return error instanceof UnknownPartError ? 404 : 500;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    if (cause instanceof URIError)
      throw new ControlRequestError(400, "BAD_PATH", "the path is not percent-encoded");
    throw cause;
  }
}

async function readCut(request: IncomingMessage): Promise<boolean> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > BODY_BYTES_MAX)
      throw new ControlRequestError(413, "BODY_TOO_LARGE", "the body is too large");
  }
  const body = parseJson(text);
  const cut = typeof body === "object" && body !== null && "cut" in body ? body.cut : undefined;
  if (typeof cut !== "boolean")
    throw new ControlRequestError(400, "BAD_BODY", 'send {"cut": true} or {"cut": false}');
  return cut;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new ControlRequestError(400, "BAD_BODY", "the body is not JSON");
    throw cause;
  }
}
