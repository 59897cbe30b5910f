/** What the process that supervises and those that it started tell each other, over the channel that Node.js opens between them. */
import type { Slot } from "./affinity.ts";

/** What a process is to run. */
export interface Orders {
  readonly slot: Slot;
  readonly processes: number;
  /** Mesh addresses of the processes of the group that are up. */
  readonly siblings: readonly string[];
  /** Where the group's Unix sockets are. */
  readonly directory: string;
  /** What the processes prove to each other when nobody has given them a secret. */
  readonly secret: string;
}

/** To a process. */
export type ToWorker =
  | { readonly type: "start"; readonly orders: Orders }
  /** Why the group as a whole is not ready; undefined once it is. */
  | { readonly type: "group"; readonly notReady: string | undefined }
  /** Take no more connections. */
  | { readonly type: "close" }
  /** Leave the cluster, and end. */
  | { readonly type: "stop" };

/** From a process. */
export type FromWorker =
  /** It listens for orders. */
  | { readonly type: "loaded" }
  | { readonly type: "up"; readonly meshUrl: string | undefined; readonly httpUrl: string | undefined }
  /** It has caught up with every node that it can reach. */
  | { readonly type: "ready" }
  /** A newer process has its name. */
  | { readonly type: "superseded" }
  /** It still turns. */
  | { readonly type: "alive" };

/** Which process of the group this is, in the environment of those that are of one. */
export const SLOT_VARIABLE = "PRESENTLY_PROCESS";
