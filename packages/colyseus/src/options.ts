/** What a presence is made with. */
import type { KeyspaceOptions } from "@presently/keyspace";
import type { AnyNode, NodeOptions } from "presently";
import type { RosterOptions } from "presently/drop-in";

/** Besides the node. */
export interface PresenceSettings {
  /** Bounds and durations of the keys; its `name`, default `colyseus`, keeps several games of one cluster apart. */
  readonly keyspace?: KeyspaceOptions;
  /**
   * Keys whose fields and members stand for the process that writes them, and are gone with it. Default: those that
   * Colyseus writes so, `roomcount` and `colyseus:nodes`.
   */
  readonly boundKeys?: readonly string[];
  /** Size of a message and its topic; beyond 16,000 characters it travels in parts. Default 1 MiB. */
  readonly messageBytesMax?: number;
  /** Processes that a starting one waits for before its first `subscribe` settles; default 1, itself. */
  readonly processes?: number;
  /** How long it waits for them at most; default 3,000. */
  readonly startGraceMs?: number;
  /** What the rooms and ids of `roster()` are called in the cluster, where clients of other protocols meet them. Default: the same. */
  readonly roster?: RosterOptions;
  /** Told of what a callback threw, and of what went wrong in the background; default: a warning of the process. */
  readonly onError?: (error: unknown) => void;
}

/** Nothing, for one process; a node that runs, which stays yours; or the options of a node that the presence starts and stops. */
export type PresenceNode = AnyNode | NodeOptions;

/** Options of `PresentlyPresence.local`. */
export interface LocalOptions extends PresenceSettings {
  /** Processes with the same name find each other; default: those that run the same script in the same folder. */
  readonly name?: string;
  /** Where they find each other; default a folder of this user's in the system's folder for temporary files. */
  readonly folder?: string;
  /** Further options of the nodes. */
  readonly node?: Omit<NodeOptions, "name" | "cluster" | "secret" | "mesh">;
}

export const PRESENCE_DEFAULTS = {
  boundKeys: ["roomcount", "colyseus:nodes"],
  messageBytesMax: 1_048_576,
  processes: 1,
  startGraceMs: 3_000,
} as const;
