export { type Application, type ApplicationNode, type Operation, operation } from "./application.ts";
export { faults, operations, pauses, type ScenarioOptions, scenarios } from "./arbitraries.ts";
export { type FuzzCommandOptions, fuzzCommand, type Output } from "./cli/command.ts";
export type { FuzzFlags } from "./cli/flags.ts";
export {
  type ClusterOptions,
  checkWatched,
  nodeNames,
  SimulatedCluster,
  type StartOptions,
} from "./cluster.ts";
export { ClusterModel } from "./cluster-model.ts";
export {
  type ClusterCommand,
  type CommandFault,
  type CommandOptions,
  clusterCommands,
  type RunCommandsOptions,
  runCommands,
  StepCommand,
} from "./commands.ts";
export type {
  ConformanceNetwork,
  ConformanceOptions,
  ConformingTransport,
  JoinOptions,
} from "./conformance/network.ts";
export { simulatedConformanceNetwork } from "./conformance/simulated-network.ts";
export { type ConformanceCase, transportConformance } from "./conformance/transport-conformance.ts";
export type { Direction, End } from "./connection.ts";
export { Coverage, SITUATIONS, type Situation } from "./coverage.ts";
export { InvariantError, ScenarioError } from "./errors.ts";
export { EventQueue } from "./event-queue.ts";
export {
  describeFailure,
  type FuzzFailure,
  type FuzzOptions,
  type FuzzProgress,
  type FuzzReport,
  fuzz,
  replay,
} from "./fuzz.ts";
export { type Attempt, type Minimized, minimize } from "./minimize.ts";
export { NETWORK_DEFAULTS, type NetworkOptions } from "./network-options.ts";
export type { ClusterObserver } from "./observer.ts";
export type { SimulatedProcess } from "./process.ts";
export { CONVERGES_WITHIN_MS, type RunOptions, type RunReport, runScenario, settle } from "./run.ts";
export {
  FAULTS,
  type Fault,
  type FaultStep,
  HOSTILE_FAULTS,
  KEYS,
  type OperationStep,
  type Scenario,
  type Step,
  TOPICS,
} from "./scenario.ts";
export { parseScenario } from "./scenario-file.ts";
export { describeStep, Timeline } from "./timeline.ts";
export { Trace } from "./trace.ts";
export { VirtualTime } from "./virtual-time.ts";
export { WatchedTopic } from "./watched-topic.ts";
export { World, type WorldOptions } from "./world.ts";
