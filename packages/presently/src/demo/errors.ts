/** What can go wrong with a demo, as opposed to with the nodes that it runs. */
import { PresentlyError } from "@presently/replica";

/** The demo runs no node, or has no link, of that name. */
export class UnknownPartError extends PresentlyError {
  constructor(kind: "node" | "link", name: string, known: Iterable<string>) {
    super("UNKNOWN_PART", `the demo has no ${kind} ${name}: there are ${[...known].join(", ")}`);
  }
}

/** A node's process ended before it answered, or did not answer in time. The message carries what it printed last. */
export class NodeStartError extends PresentlyError {
  readonly node: string;

  constructor(node: string, problem: string, lastLines: readonly string[]) {
    super("NODE_START_FAILED", [`node ${node} ${problem}`, ...lastLines].join("\n  "));
    this.node = node;
  }
}

/** What was asked of the control server is not something that it does; nothing was changed. */
export class ControlRequestError extends PresentlyError {
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(code, message);
    this.status = status;
  }
}
