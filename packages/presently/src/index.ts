export {
  ClosedError,
  ConfigurationError,
  type CountListener,
  InvalidArgumentError,
  type Leave,
  type LeaveReason,
  LimitError,
  type MessageListener,
  type Meta,
  NotTrackedError,
  type Presence,
  PresentlyError,
  type ReplicaChange,
  type ReplicaId,
  type ReplicaListener,
  type ReplicaReport,
  type ReplicaStatus,
  RequestError,
  type RequestErrorCode,
  type Session,
  type SessionOptions,
  type SyncProgress,
  type TopicChange,
  type TopicCount,
  type TopicDiff,
  type TopicState,
  type TopicSummary,
  type TransportListener,
  type Update,
  type Watcher,
} from "@presently/replica";
export type { Access, Action, Credentials, Identity, Protocol } from "./access/access.ts";
export { HttpRequestError, ListenError, StoppingError } from "./errors.ts";
export type { Eviction } from "./eviction.ts";
export type { LinkReport } from "./http/served-node.ts";
export type { Log, LogLevel } from "./logger.ts";
export { createNode, type PresentlyNode, type StopCause, type StopOptions } from "./node.ts";
export type { HttpOptions, MeshOptions, NodeOptions } from "./node-options.ts";
export type { NodeNotice } from "./notice.ts";
export type { NodeTransport, TransportContext, TransportFactory } from "./transport.ts";
export {
  attendTopic,
  SIGNATURE_HEADER,
  signWebhook,
  startWebhooks,
  verifyWebhook,
  type WebhookCounters,
  type WebhookEventType,
  type WebhookNotice,
  type WebhookOptions,
  type Webhooks,
} from "./webhooks/index.ts";
