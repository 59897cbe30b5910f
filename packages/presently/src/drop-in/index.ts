/** What the drop-ins share: the parts of a server of clients that are the same in every protocol. */
export { attach, type Handlers } from "./attachment.ts";
export { Backlog } from "./backlog.ts";
export { deeperThan } from "./json-depth.ts";
export { Mailbox, type Task } from "./mailbox.ts";
export { type CheckOrigin, type OriginCheck, originCheck } from "./origin.ts";
export { refuseUpgrade } from "./refuse-upgrade.ts";
export { TokenBucket } from "./token-bucket.ts";
