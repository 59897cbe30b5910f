export {
  type Answers,
  type AnyMeta,
  type BroadcastOptions,
  type ByTopic,
  ClosedError,
  ConfigurationError,
  type CountListener,
  InvalidArgumentError,
  type Leave,
  type LeaveReason,
  LimitError,
  type MessageListener,
  type Meta,
  type MetaArgument,
  type MetaAt,
  type MetaInput,
  type MetaUpdate,
  NotTrackedError,
  Packet,
  type People,
  type PeopleChange,
  type PeopleDiff,
  type PeopleListener,
  type PeopleOptions,
  type PeopleState,
  type Person,
  type PersonEvent,
  type PersonJoin,
  type PersonLeave,
  type PersonUpdate,
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
  type TopicsChange,
  type TopicsDiff,
  type TopicsListener,
  type TopicsState,
  type TransportListener,
  type Update,
  type Watcher,
} from "@presently/replica";
export type { Access, Action, Credentials, Identity, Protocol } from "./access/access.ts";
export { type ApiToken, createApiToken, hashApiToken } from "./access/api-token.ts";
export {
  type AccessOptions,
  createAccess,
  type JwtAccess,
  type ReadyAccess,
} from "./access/create-access.ts";
export { type JwtRules, type JwtVerdict, type JwtVerifier, jwtVerifier } from "./access/json-web-token.ts";
export { authorizeByScopes } from "./access/scoped-identity.ts";
export { HttpRequestError, ListenError, StoppingError } from "./errors.ts";
export type { Eviction } from "./eviction.ts";
export type { LinkReport } from "./http/served-node.ts";
export type { Log, LogLevel } from "./logger.ts";
export {
  type AnswerOptions,
  type AnyNode,
  createNode,
  type PresentlyNode,
  type StopCause,
  type StopOptions,
  type TopicSubscription,
} from "./node.ts";
export type { HttpOptions, MeshOptions, NodeOptions } from "./node-options.ts";
export type { NodeNotice } from "./notice.ts";
export type { NodeTransport, TransportContext, TransportFactory } from "./transport.ts";
export {
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
