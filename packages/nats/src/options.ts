/** What can be configured of NATS as a transport. */
import type { NodeConnectionOptions } from "@nats-io/transport-node";
import { InvalidArgumentError } from "presently";
import { checkInteger, checkObject } from "presently/drop-in";

/** Those of the NATS client, besides the few that the transport needs for itself, and its own. */
export interface NatsOptions
  extends Omit<NodeConnectionOptions, "noEcho" | "maxReconnectAttempts" | "reconnect" | "name"> {
  /** First token of every subject. Default `presently`. */
  readonly subjectPrefix?: string;
  /** Period of the greetings by which nodes find each other, and links that are broken on one side are found. Default 5,000 ms. */
  readonly greetIntervalMs?: number;
  /** Bytes handed to the client and not known to have reached the server, above which nothing more is pushed. Default 4 MiB. */
  readonly maxBufferedBytes?: number;
  /** Peers at a time. Default 1,024. */
  readonly linksMax?: number;
  /** So long after a connection with NATS is back, a peer that does not listen yet is not held to be gone. Default 3,000 ms. */
  readonly returnGraceMs?: number;
}

export interface NatsSettings {
  readonly connection: NodeConnectionOptions;
  readonly subjectPrefix: string;
  readonly greetIntervalMs: number;
  readonly maxBufferedBytes: number;
  readonly linksMax: number;
  readonly returnGraceMs: number;
}

/** @throws {InvalidArgumentError} for a value that cannot be used */
export function resolveNatsOptions(options: NatsOptions): NatsSettings {
  checkObject("options", options);
  const {
    subjectPrefix = "presently",
    greetIntervalMs = 5_000,
    maxBufferedBytes = 4 * 1_024 * 1_024,
    linksMax = 1_024,
    returnGraceMs = 3_000,
    ...connection
  } = options;
  if (typeof subjectPrefix !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(subjectPrefix))
    throw new InvalidArgumentError("subjectPrefix", "must be 1 to 64 letters, digits, _ or -");
  const counts = { greetIntervalMs, maxBufferedBytes, linksMax, returnGraceMs };
  for (const [name, value] of Object.entries(counts)) checkInteger(name, value, 1);
  return {
    connection: { reconnectTimeWait: 200, reconnectJitter: 100, ...connection },
    subjectPrefix,
    ...counts,
  };
}
