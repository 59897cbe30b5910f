/** Who may do what: one question that every protocol and the HTTP API ask in the same words. */

/** The ways in. Colyseus is none: what uses its Presence is the server's own code. */
export type Protocol = "http" | "phoenix" | "anycable" | "faye" | "socketcluster" | "socket.io" | "pusher";

/** What a protocol knows of whoever wants in, before anything of it is believed. */
export interface Credentials {
  readonly protocol: Protocol;
  /** The bearer token, wherever the protocol carries it: a header, a subprotocol, a parameter. */
  readonly token: string | undefined;
  /** What the client says: connect parameters or the query; from outside, of any shape. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Of the request that asks; names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Where it comes from, as the socket says; undefined when the socket is gone. */
  readonly address: string | undefined;
}

/** Whoever was let in. */
export interface Identity {
  /** Names them in logs and in `authorize`; the key under which a protocol tracks by default. */
  readonly id: string;
  /** Claims of the token, or whatever `authenticate` wants `authorize` to know. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Wall-clock ms since 1970 from which on this identity counts no more: its connections are closed then. */
  readonly expiresAtMs?: number;
}

/** What somebody wants to do. */
export type Action =
  /** Be present on a topic under a key. */
  | { readonly kind: "track"; readonly topic: string; readonly key: string }
  /** See who is present on a topic, and hear what is said there. */
  | { readonly kind: "watch"; readonly topic: string }
  /** Say something on a topic. */
  | { readonly kind: "publish"; readonly topic: string }
  /** Read what concerns the whole node: the list of topics, the cluster's state, metrics. */
  | { readonly kind: "inspect"; readonly what: "topics" | "cluster" | "metrics" }
  /** Change what others did: remove somebody from a topic, evict a replica. */
  | { readonly kind: "operate"; readonly what: "kick"; readonly topic: string; readonly key: string }
  | { readonly kind: "operate"; readonly what: "evict"; readonly replica: string };

/**
 * The two hooks, `createNode({ access })`: they serve every protocol and the HTTP API of the node. Both may answer later.
 * What they throw refuses, and is reported as a notice.
 */
export interface Access {
  /** Who this is; undefined refuses. Asked once a connection, or once a request over HTTP. */
  authenticate(credentials: Credentials): Identity | undefined | Promise<Identity | undefined>;
  /** Whether they may; everything but true refuses. */
  authorize(identity: Identity, action: Action): boolean | Promise<boolean>;
}
