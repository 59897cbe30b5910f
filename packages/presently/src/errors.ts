/** The errors that only a running node can cause; those about presence itself come from `@presently/replica`. */
import { PresentlyError } from "@presently/replica";

/** Which of a node's two servers an address belongs to. */
export type Listener = "mesh" | "http";

/** A server of the node could not listen. `reason` is the operating system's code, `EADDRINUSE` for example. */
export class ListenError extends PresentlyError {
  readonly listener: Listener;
  readonly host: string;
  readonly port: number;
  readonly reason: string;

  constructor(listener: Listener, host: string, port: number, cause: unknown) {
    const reason = systemCodeOf(cause);
    const inUse = reason === "EADDRINUSE";
    const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    super(
      inUse ? "ADDRESS_IN_USE" : "LISTEN_FAILED",
      inUse
        ? `${listener} address ${address} is in use: stop what listens there, or choose another port`
        : `${listener} cannot listen on ${address} (${reason}): choose an address of this machine that you may use`,
      { cause },
    );
    this.listener = listener;
    this.host = host;
    this.port = port;
    this.reason = reason;
  }
}

/** The node is stopping: the same request succeeds at another node, or here after the restart. */
export class StoppingError extends PresentlyError {
  constructor() {
    super("STOPPING", "this node is stopping: send the request to another one");
  }
}

/** A request over HTTP that cannot be answered as it is. `status` is the HTTP status that says so. */
export class HttpRequestError extends PresentlyError {
  readonly status: number;
  /** Header fields that belong to the status, `allow` for example. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(code, message);
    this.status = status;
    this.headers = headers;
  }
}

/** The `code` of an error of the operating system, or its message where it has none. */
function systemCodeOf(cause: unknown): string {
  if (cause instanceof Error) {
    return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
  }
  return String(cause);
}
