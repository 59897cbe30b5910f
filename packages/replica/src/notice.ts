/** What the replica has to say to whoever runs it, for logs and counts. Facts are ids and numbers, never payloads. */
export interface Notice {
  readonly type: NoticeType;
  readonly level: "debug" | "info" | "warn" | "error";
  /** One sentence for people. */
  readonly message: string;
  readonly [fact: string]: unknown;
}

/** What a notice is about; stable, so that alarms can name it. */
export type NoticeType =
  | "replica-up"
  | "replica-suspect"
  | "replica-down"
  | "replica-leaving"
  | "replica-evicted"
  | "replicas-max"
  | "peer-linked"
  | "peer-unlinked"
  | "peer-refused"
  | "stalled"
  | "synced"
  | "sync-progress"
  | "pull-timeout"
  | "divergence"
  | "readded"
  | "reincarnated"
  | "name-conflict"
  | "no-incarnation-left"
  | "listener-error";
