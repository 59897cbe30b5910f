/** What `presently start` serves beside the API. */
import type { Log } from "../logger.ts";
import type { PresentlyNode } from "../node.ts";

/** Begins to serve at the HTTP server of a node that has started. */
export type Extension = (node: PresentlyNode, log: Log) => void;
