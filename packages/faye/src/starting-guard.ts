/**
 * Keeps clients away from a server whose node is still starting: what they publish would reach nobody elsewhere.
 *
 * It answers requests with 503, as an error in a reply would be the end of a publication: the npm client sends what a
 * request with another status than 200 brought again, after its `retry`.
 */
import type { IncomingMessage } from "node:http";
import { refuseUpgrade } from "presently/drop-in";
import type { FayeServer } from "./faye.ts";

/** Asks `starting` about each request that brings messages, or waits for them; returns what ends that. */
export function refuseWhileStarting(server: FayeServer, starting: () => boolean): () => void {
  let active = true;
  const { handle, handleUpgrade } = server;
  const mustWait = () => active && starting();
  server.handle = (request, response) => {
    if (!mustWait() || !isForMessages(request)) handle.call(server, request, response);
    else response.writeHead(503, { "retry-after": "1", "cache-control": "no-store" }).end();
  };
  server.handleUpgrade = (request, socket, head) => {
    if (mustWait()) refuseUpgrade(socket, 503);
    else handleUpgrade.call(server, request, socket, head);
  };
  return () => {
    active = false;
  };
}

/** The browser client, and what browsers ask before a request to another origin, are there from the start. */
function isForMessages({ method, url = "", headers }: IncomingMessage): boolean {
  if (method === "POST") return true;
  return (
    method === "GET" && (headers.accept?.includes("text/event-stream") === true || /[?&]message=/.test(url))
  );
}
