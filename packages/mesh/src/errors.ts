/** What the owner of a mesh can be told is wrong with how it was set up. What peers do wrong is a `Refusal`. */
import { PresentlyError } from "@presently/replica";

/**
 * A mesh without a secret may only listen on loopback: whoever can reach it could join the cluster.
 * Give it a secret, or a loopback host. Trying again as it is cannot help.
 */
export class SecretRequiredError extends PresentlyError {
  /** The host that was asked for. */
  readonly host: string;

  constructor(host: string) {
    super(
      "SECRET_REQUIRED",
      `option host is ${JSON.stringify(host)}, which others can reach, and option secrets is empty: ` +
        "give the cluster a secret, or listen on 127.0.0.1",
    );
    this.host = host;
  }
}

/** The mesh could not listen on its host and port; `cause` is the system's error. Trying again may help. */
export class ListenError extends PresentlyError {
  readonly host: string;
  readonly port: number;

  constructor(host: string, port: number, cause: Error) {
    super("LISTEN_FAILED", `cannot listen on ${host} port ${port}: ${cause.message}`, { cause });
    this.host = host;
    this.port = port;
  }
}
