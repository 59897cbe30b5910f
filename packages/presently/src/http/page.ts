/** The page: a few files beside the code, read once. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { HttpRequestError } from "../errors.ts";
import type { Reply } from "./json.ts";
import type { ApiRequest, Handler, Route } from "./route.ts";

const typeByExtension: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};

interface PageFile {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
}

/**
 * The routes of the two pages: `GET /`, `GET /dashboard` and `GET /page/<file>`. Only files that were there at the start are
 * served, by their exact names, so that no path can lead elsewhere. `@presently/phoenix` answers `/phoenix.json` before these.
 *
 * @param demoControl  the origin that the page may call besides its own; `GET /demo.json` tells it to the page
 * @throws when files that are there cannot be read: the package is broken
 */
export async function pageRoutes(demoControl: string | undefined): Promise<readonly Route[]> {
  const files = await readFiles();
  const headers = securityHeaders(demoControl);
  const missing =
    files.size === 0
      ? "the page is not part of a bundled application: leave presently out of the bundle (esbuild: --packages=external)"
      : "the page has no such file";
  const serve =
    (nameIn: (request: ApiRequest) => string): Handler =>
    (request) => {
      const file = files.get(nameIn(request));
      if (file === undefined) throw new HttpRequestError(404, "NOT_FOUND", missing);
      sendFile(request, file, headers);
      return undefined;
    };
  return [
    { method: "GET", path: "/", needs: "anybody", handle: serve(() => "index.html") },
    { method: "GET", path: "/dashboard", needs: "anybody", handle: serve(() => "dashboard.html") },
    { method: "GET", path: "/page/*", needs: "anybody", handle: serve(({ params }) => params["*"]!) },
    // What the page asks for at its start. "No" is an answer: a 404 would stand in red in each visitor's console.
    { method: "GET", path: "/demo.json", needs: "anybody", handle: () => said({ control: demoControl }) },
    { method: "GET", path: "/phoenix.json", needs: "anybody", handle: () => said({}) },
  ];
}

function said(body: object): Reply {
  return { status: 200, body };
}

async function readFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const files = new Map<string, PageFile>();
  const pageDirectory = findPage();
  if (pageDirectory === undefined) return files;
  for (const path of await readdir(pageDirectory, { recursive: true })) {
    const type = typeByExtension[extname(path)];
    if (type === undefined) continue;
    const bytes = await readFile(join(pageDirectory, path));
    const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
    files.set(path.replaceAll("\\", "/"), { bytes, type, etag });
  }
  return files;
}

/** The same from `src/` and from `dist/`; undefined in an application that was bundled into one file. */
function findPage(): string | undefined {
  // In a bundle for CommonJS there is no such thing, and in one of ES modules it is the bundle's own place.
  if (import.meta.url === undefined) return undefined;
  const directory = fileURLToPath(new URL("../../page/", import.meta.url));
  return existsSync(join(directory, "dashboard.html")) ? directory : undefined;
}

/** Names and metas on the page come from strangers: the page loads and calls nothing but its own node. */
function securityHeaders(demoControl: string | undefined): Readonly<Record<string, string>> {
  const control = demoControl === undefined ? "" : ` ${new URL(demoControl).origin}`;
  return {
    "content-security-policy": [
      "default-src 'self'",
      // No text becomes markup or code, not even by a mistake of ours.
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
      `connect-src 'self'${control}`,
      "img-src 'self' data:",
      "base-uri 'none'",
      "object-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
  };
}

function sendFile(
  { request, response }: ApiRequest,
  file: PageFile,
  headers: Readonly<Record<string, string>>,
): void {
  const common = { ...headers, etag: file.etag, "cache-control": "no-cache" };
  if (request.headers["if-none-match"] === file.etag) {
    respond(response, 304, common);
    return;
  }
  const entity = { ...common, "content-type": file.type, "content-length": String(file.bytes.length) };
  respond(response, 200, entity, file.bytes);
}

function respond(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  bytes?: Buffer,
): void {
  response.writeHead(status, headers);
  response.end(bytes);
}
