/**
 * Hands out the npm client, for pages that have no bundler: the page of the node takes part by it.
 *
 * The client is the one that is installed beside this package, as it came from npm. Where there is none, nothing is served.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Where the page of a node asks whether, and how, clients of phoenix.js may connect. */
const DESCRIPTION_PATH = "/phoenix.json";

export interface NpmClientOptions {
  /** Where clients connect, `/socket` for example. */
  readonly path: string;
  /** The connect parameter that names whoever connects. */
  readonly key: string;
}

interface ServedFile {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
}

/**
 * Answers requests for the client and its description; `false` for any other, of which nothing was done.
 * Undefined if the client is not installed.
 */
export function npmClientHandler({
  path,
  key,
}: NpmClientOptions):
  | ((target: string, request: IncomingMessage, response: ServerResponse) => boolean)
  | undefined {
  const file = findClient();
  if (file === undefined) return undefined;
  const base = path.replace(/\/+$/, "");
  const clientPath = `${base}/phoenix.mjs`;
  const description = Buffer.from(`${JSON.stringify({ socket: base, key, client: clientPath })}\n`);
  const files: Readonly<Record<string, ServedFile>> = {
    [clientPath]: served(readFileSync(file), "text/javascript; charset=utf-8"),
    [DESCRIPTION_PATH]: served(description, "application/json; charset=utf-8"),
  };
  return (target, request, response) => {
    const found = Object.hasOwn(files, target) ? files[target] : undefined;
    if (found === undefined || request.method !== "GET") return false;
    send(found, request, response);
    return true;
  };
}

/** The client as a module of the browser: beside this package, or where the process was started. */
function findClient(): string | undefined {
  // A bundle for CommonJS does not say where it is.
  for (const place of [import.meta.url, join(process.cwd(), "package.json")]) {
    if (place === undefined) continue;
    try {
      // What is for `require` stands beside what is for `import`.
      const module = createRequire(place)
        .resolve("phoenix")
        .replace(/\.cjs\.js$/, ".mjs");
      if (module.endsWith(".mjs") && existsSync(module)) return module;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}

function served(bytes: Buffer, type: string): ServedFile {
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  return { bytes, type, etag };
}

function send({ bytes, type, etag }: ServedFile, request: IncomingMessage, response: ServerResponse): void {
  const common = { etag, "cache-control": "no-cache", "x-content-type-options": "nosniff" };
  if (request.headers["if-none-match"] === etag) response.writeHead(304, common).end();
  else
    response.writeHead(200, { ...common, "content-type": type, "content-length": bytes.length }).end(bytes);
}
