/** What the drop-ins share: the parts of a server of clients that are the same in every protocol. */

export {
  callListener,
  checkFunction,
  checkInteger,
  checkObject,
  checkOptions,
  checkString,
  freezeJson,
  jsonOf,
  MUST_BE_WELL_FORMED,
  reportRejection,
  stringsIn,
} from "@presently/replica";
export type { Access, Action, Credentials, Identity, Protocol } from "../access/access.ts";
export { bearerTokenOf } from "../access/bearer-token.ts";
export { requireSharedSecret } from "../access/shared-secret.ts";
export { isLoopback } from "../address.ts";
export { readBody } from "../http/body.ts";
export { admitUpgrade } from "./admit-upgrade.ts";
export { attach, type Handlers } from "./attachment.ts";
export { Attachments } from "./attachments.ts";
export { Backlog } from "./backlog.ts";
export { type BoundOptions, resolveBesideGate, resolveBounds } from "./bounds.ts";
export { checkNode } from "./check-node.ts";
export { type Drained, type DrainOptions, drain, handOffOnDrain } from "./drain.ts";
export { envelope, isEnvelope, plain, type Said, saidAsMap, saidIn } from "./envelope.ts";
export {
  type Admission,
  GATE_DEFAULTS,
  Gate,
  type GateLimits,
  type GateOptions,
  REFUSAL_STATUS,
  type RefusalReason,
} from "./gate.ts";
export { guardNotices } from "./guarded-notices.ts";
export { type Charge, inCharge } from "./in-charge.ts";
export { deeperThan } from "./json-depth.ts";
export { Mailbox, type Task } from "./mailbox.ts";
export { type Roster, type RosterSession, rosterOf } from "./named-roster.ts";
export { namesOneHost } from "./one-host.ts";
export { type OpenGateOptions, openGate, openGateIfAsked } from "./open-gate.ts";
export { type CheckOrigin, type OriginCheck, originCheck } from "./origin.ts";
export { Permissions } from "./permissions.ts";
export type { RefusalCounts, RefusalTally } from "./refusal-counts.ts";
export type { GateNotice } from "./refusal-notices.ts";
export { refuseUpgrade } from "./refuse-upgrade.ts";
export {
  isReservedRoom,
  isReservedTopic,
  RESERVED_TOPICS,
  SOCKETCLUSTER_PRESENCE_CHANNEL,
  SOCKETCLUSTER_TOPICS,
  SOCKETIO_TOPICS,
  WEBHOOKS_TOPIC,
} from "./reserved-topics.ts";
export {
  type IdNames,
  type PrefixNames,
  RosterNameError,
  RosterNames,
  type RosterOptions,
  type TopicNames,
} from "./roster-names.ts";
export { type SharedState, SharedWatch } from "./shared-watch.ts";
export { isStarting } from "./starting.ts";
export { TokenBucket } from "./token-bucket.ts";
export { onTopicMessage, publishToTopic, type TopicMessage } from "./topic-messages.ts";
