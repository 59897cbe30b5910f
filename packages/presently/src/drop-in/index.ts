/** What the drop-ins share: the parts of a server of clients that are the same in every protocol. */

export type { Access, Action, Credentials, Identity, Protocol } from "../access/access.ts";
export { bearerTokenOf } from "../access/bearer-token.ts";
export { attach, type Handlers } from "./attachment.ts";
export { Backlog } from "./backlog.ts";
export {
  type Admission,
  GATE_DEFAULTS,
  Gate,
  type GateLimits,
  type GateNotice,
  type GateOptions,
  type RefusalReason,
} from "./gate.ts";
export { deeperThan } from "./json-depth.ts";
export { Mailbox, type Task } from "./mailbox.ts";
export { type CheckOrigin, type OriginCheck, originCheck } from "./origin.ts";
export { refuseUpgrade } from "./refuse-upgrade.ts";
export { TokenBucket } from "./token-bucket.ts";
