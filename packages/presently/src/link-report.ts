/** Links as the HTTP API and `node.links()` show them. */
import type { LinkInfo } from "@presently/mesh";
import { nameOf } from "@presently/replica";
import type { LinkReport } from "./http/served-node.ts";

/** The mesh's view of a link, in the words of the node. */
export function linkReport({
  peer,
  address,
  direction,
  sinceMs,
  bufferedBytes,
  ...link
}: LinkInfo): LinkReport {
  return {
    replica: peer,
    node: nameOf(peer),
    direction: direction === "dialled" ? "out" : "in",
    address,
    openForMs: Math.round(sinceMs),
    bufferedBytes,
    bytesSent: link.bytesSent,
    bytesReceived: link.bytesReceived,
    framesSent: link.framesSent,
    framesReceived: link.framesReceived,
  };
}
