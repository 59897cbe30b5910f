export {
  type ClusterOptions,
  checkWatched,
  nodeNames,
  SimulatedCluster,
  type StartOptions,
} from "./cluster.ts";
export type { Direction, End } from "./connection.ts";
export { InvariantError, ScenarioError } from "./errors.ts";
export { EventQueue } from "./event-queue.ts";
export { NETWORK_DEFAULTS, type NetworkOptions } from "./network-options.ts";
export type { ClusterObserver } from "./observer.ts";
export type { SimulatedProcess } from "./process.ts";
export { Trace } from "./trace.ts";
export { VirtualTime } from "./virtual-time.ts";
export { WatchedTopic } from "./watched-topic.ts";
