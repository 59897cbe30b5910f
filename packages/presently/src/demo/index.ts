/** Runs a cluster on one machine, with links that can be broken: for the demo, and for tests of whole clusters. */
export { type Demo, type DemoOptions, type DemoState, startDemo } from "./demo.ts";
export { ControlRequestError, NodeStartError, UnknownPartError } from "./errors.ts";
export { Link, type LinkEnd } from "./link.ts";
export { type LinkDirection, LinkProxy, type LinkProxyOptions } from "./link-proxy.ts";
export { NodeProcess, type NodeProcessOptions, type NodeProcessState } from "./node-process.ts";
export { PortChooser } from "./ports.ts";
