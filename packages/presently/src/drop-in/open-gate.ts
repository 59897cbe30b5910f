/** The gate of a drop-in at a node: over the node's hooks, with the drop-in's bounds; what it refuses is in the metrics. */
import { checkObject } from "@presently/replica";
import type { AnyNode } from "../node.ts";
import { checkNode } from "./check-node.ts";
import { GATE_DEFAULTS, Gate, type GateLimits, type GateOptions } from "./gate.ts";
import { tallyAt } from "./refusal-counts.ts";
import { isStarting } from "./starting.ts";

/** What a drop-in says of its gate. */
export interface OpenGateOptions extends Pick<GateOptions, "protocol" | "onNotice"> {
  /** The option `limits` of the drop-in, as it was given: loopback is spared where a bound has its default. */
  readonly limits?: GateOptions["limits"] | undefined;
  /** Whether the node's hooks are asked. Default true; false where every client shows a signature of its own protocol. */
  readonly asksAccess?: boolean;
}

const LIMITS = Object.keys(GATE_DEFAULTS) as (keyof GateLimits)[];

/** What notices call the limits: every drop-in has them in its option `limits`. */
const LIMIT_NAMES = Object.fromEntries(LIMITS.map((name) => [name, `limits.${name}`]));

/**
 * A gate for the clients of one drop-in. It admits nobody before the node is ready.
 *
 * @throws {InvalidArgumentError} for a limit that is no positive number
 */
export function openGate(node: AnyNode, options: OpenGateOptions): Gate {
  checkNode(node);
  checkObject("options", options);
  const { protocol, limits = {}, onNotice, asksAccess = true } = options;
  const access = asksAccess ? node.access : undefined;
  const tally = tallyAt(node, protocol);
  const starting = () => isStarting(node);
  return new Gate({ access, protocol, starting, limits, limitNames: LIMIT_NAMES, tally, onNotice });
}

/**
 * As `openGate`, for a drop-in that leaves its clients alone where nobody asks for a gate: undefined where everybody may do
 * everything, and no bound was given.
 *
 * @throws {InvalidArgumentError} for a limit that is no positive number
 */
export function openGateIfAsked(node: AnyNode, options: OpenGateOptions): Gate | undefined {
  checkNode(node);
  checkObject("options", options);
  const isAsked = node.access !== undefined || LIMITS.some((name) => options.limits?.[name] !== undefined);
  return isAsked ? openGate(node, options) : undefined;
}
