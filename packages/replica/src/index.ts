export { incarnationOf, isReplicaId, nameOf, type ReplicaId, replicaId } from "@presently/crdt";
export {
  checkFunction,
  checkInteger,
  checkObject,
  checkOptions,
  checkString,
  jsonOf,
  stringsIn,
} from "./arguments.ts";
export type { Clock } from "./clock.ts";
export { decodeMessage, encodeMessage, PROTOCOL_VERSION } from "./codec.ts";
export type { Counters } from "./counters.ts";
export { Endpoint, type EndpointOptions, type TimedInterest } from "./endpoint.ts";
export type { Entry } from "./entry.ts";
export {
  ClosedError,
  ConfigurationError,
  InvalidArgumentError,
  LimitError,
  NotTrackedError,
  PresentlyError,
  ProtocolError,
} from "./errors.ts";
export type { ReplicaChange, ReplicaListener } from "./followers.ts";
export { freezeJson, MUST_BE_WELL_FORMED } from "./json-copy.ts";
export { callListener, reportRejection } from "./listener-call.ts";
export type { Mark, MarkChange } from "./marks.ts";
export type { Message } from "./messages.ts";
export type { MessageListener } from "./messaging/channels.ts";
export { type BroadcastOptions, Messenger, type TopicInterest } from "./messaging/messenger.ts";
export {
  type Answer,
  type Answers,
  RequestError,
  type RequestErrorCode,
  type RequestHandler,
  type Responder,
} from "./messaging/requests.ts";
export type { Notice, NoticeType } from "./notice.ts";
export { REPLICA_DEFAULTS, type ReplicaOptions, type ReplicaSettings, seededRandom } from "./options.ts";
export type { Millis, Outbox } from "./outbox.ts";
export { Packet } from "./packet.ts";
export type {
  PeopleChange,
  PeopleDiff,
  PeopleListener,
  PeopleState,
  Person,
  PersonEvent,
  PersonJoin,
  PersonLeave,
  PersonUpdate,
} from "./people.ts";
export type { People, PeopleOptions } from "./people-watches.ts";
export type {
  AnyMeta,
  ByTopic,
  CountListener,
  Leave,
  LeaveReason,
  Meta,
  MetaArgument,
  MetaAt,
  MetaInput,
  MetaUpdate,
  Presence,
  ReplicaReport,
  ReplicaStatus,
  SyncProgress,
  TopicChange,
  TopicCount,
  TopicDiff,
  TopicState,
  TopicSummary,
  Update,
  Watcher,
} from "./presence.ts";
export { Replica } from "./replica.ts";
export type { Session, SessionOptions } from "./session.ts";
export type { StateView } from "./state-view.ts";
export type { TopicsChange, TopicsDiff, TopicsListener, TopicsState } from "./topic-list-watches.ts";
export type { Transport, TransportListener } from "./transport.ts";
