/** What happened to a node that an operator may want to know of. */

/**
 * A notice of the replica, the mesh or the node: `type` is stable and for programs, `message` is one sentence for people,
 * and the facts are further fields. Never holds a secret, nor a meta.
 */
export interface NodeNotice {
  readonly type: string;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly [fact: string]: unknown;
}
