export { incarnationOf, isReplicaId, nameOf, type ReplicaId, replicaId } from "@presently/crdt";
export {
  ClosedError,
  ConfigurationError,
  InvalidArgumentError,
  LimitError,
  NotTrackedError,
  PresentlyError,
  ProtocolError,
} from "./errors.ts";
export type {
  Leave,
  LeaveReason,
  Meta,
  Presence,
  ReplicaReport,
  ReplicaStatus,
  TopicChange,
  TopicCount,
  TopicDiff,
  TopicState,
  TopicSummary,
  Update,
  Watcher,
} from "./presence.ts";
export type { Transport, TransportListener } from "./transport.ts";
