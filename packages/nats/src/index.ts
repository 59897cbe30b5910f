import type { TransportFactory } from "presently";
import { NatsTransport } from "./nats-transport.ts";
import { type NatsOptions, resolveNatsOptions } from "./options.ts";

export { credsAuthenticator } from "@nats-io/transport-node";
export { NatsError } from "./errors.ts";
export type { NatsOptions } from "./options.ts";

/**
 * NATS in place of the WebSocket mesh: `createNode({ transport: nats({ servers: ["nats://127.0.0.1:4222"] }) })`.
 *
 * The options of the connection are those of `@nats-io/transport-node`: servers, credentials, TLS. Whoever may publish and
 * subscribe on the cluster's subjects is believed: that is what NATS' own permissions are for.
 *
 * @throws {InvalidArgumentError} for an option that cannot be used. The node's start rejects with a `NatsError` when NATS
 *   cannot be reached or refuses it.
 */
export function nats(options: NatsOptions): TransportFactory {
  const settings = resolveNatsOptions(options);
  return (context, listener) => new NatsTransport(settings, context, listener);
}
