/** The example page of `@presently/client`, bundled as an application does it, on a web server of its own. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));
const packageFolder = `${root}packages/client/`;
/** The example, and a page whose components a test mounts. */
const SCRIPTS = ["packages/client/examples/react-room/main.tsx", "test/helpers/client-shell.ts"];

/** What is served comes from the sources, as in all tests. */
const alias = {
  "@presently/client/react": `${packageFolder}src/react/index.ts`,
  "@presently/client": `${packageFolder}src/index.ts`,
};

/** Bundles one file of the repository for a browser. */
export async function bundle(path: string, options: BuildOptions = {}): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [`${root}${path}`],
    bundle: true,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    alias,
    write: false,
    logLevel: "silent",
    ...options,
  });
  return outputFiles![0]!.contents;
}

export class ClientPage {
  readonly #server: Server;

  static async start(): Promise<ClientPage> {
    const define = { "process.env.NODE_ENV": '"development"' };
    const scripts = await Promise.all(SCRIPTS.map((path) => bundle(path, { define })));
    const html = readFileSync(`${packageFolder}examples/react-room/index.html`);
    const server = createServer(({ url = "", headers }, response) => {
      const isShell = new URL(headers.referer ?? "/", "http://page").searchParams.has("shell");
      const isScript = url === "/main.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
      response.setHeader("cache-control", "no-store");
      response.end(isScript ? scripts[isShell ? 1 : 0] : html);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return new ClientPage(server);
  }

  constructor(server: Server) {
    this.#server = server;
  }

  /** The page of this person, connected with this socket: the example, or the one that a test tells what to show. */
  url(socket: string, name: string, { shell = false } = {}): string {
    const { port } = this.#server.address() as AddressInfo;
    const query = new URLSearchParams({ socket, name, ...(shell && { shell: "1" }) });
    return `http://127.0.0.1:${port}/?${query}`;
  }

  async close(): Promise<void> {
    await new Promise<void>((closed) => {
      this.#server.close(() => closed());
      this.#server.closeAllConnections();
    });
  }
}
