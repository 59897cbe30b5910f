/**
 * A socket that is ready to use: who connects gives a name, may join any topic, is present there, and is heard there.
 * It is what `presently start --phoenix` serves, to try phoenix.js against a cluster without writing a server.
 */
import { type AnyNode, InvalidArgumentError, type Meta, PresentlyError } from "presently";
import { attach, type CheckOrigin, checkNode, checkObject, type RosterOptions } from "presently/drop-in";
import type { Channel } from "./channel.ts";
import type { AnyHandler } from "./channel-definition.ts";
import type { ConnectionInfo, Params } from "./connection-info.ts";
import { DISCONNECT } from "./exchange.ts";
import type { LimitOptions } from "./limits.ts";
import { EVENT, type Payload } from "./message.ts";
import type { NoticeListener } from "./notice.ts";
import { npmClientHandler } from "./npm-client.ts";
import { nowInSeconds } from "./online-at.ts";
import { PhoenixSocket } from "./phoenix-socket.ts";
import type { Reply } from "./reply.ts";
import { tokenVerifier } from "./token.ts";

/** How clients reach the ready-made socket, and how they prove who they are. */
export interface EndpointOptions {
  /** Where clients connect. Default `/socket`. */
  readonly path?: string;
  /** The parameter, or the claim of the token, that names whoever connects. Default `user_id`. */
  readonly key?: string;
  /** With it, clients need a token (`authToken`, or the parameter `token`): a shared text for HS256, or a public key in PEM. */
  readonly tokenSecret?: string;
  readonly checkOrigin?: CheckOrigin;
  /** What topics and keys are called in the cluster. Default: the same. */
  readonly roster?: RosterOptions;
  readonly limits?: LimitOptions;
  readonly onNotice?: NoticeListener;
}

interface Assigns {
  readonly key: string;
}

/** Events that only the server may send: a client could pretend that somebody came, or close what is not its own. */
const RESERVED = new Set<string>([EVENT.state, EVENT.diff, DISCONNECT]);
/** What `@presently/client` sends: another meta for itself, and a message that goes to the others with its sender's name. */
const CLIENT_EVENT = { update: "presently_update", message: "presently_message" } as const;
const KEY_BYTES_MAX = 255;

/**
 * Serves the ready-made socket at the node's own HTTP address. Whoever joins is tracked with `{ online_at }`, and with the
 * fields of the map `meta` of the join's parameters, if there is one. Where clients need no token and the npm client is
 * installed, the node's page takes part by it. With `createNode({ access })`, clients are who that says.
 *
 * @throws {InvalidArgumentError} for a node without `http`, and for options that cannot be used
 */
export function serveEndpoint(node: AnyNode, options: EndpointOptions = {}): PhoenixSocket<Assigns> {
  checkNode(node);
  checkObject("options", options);
  const { path = "/socket", key = "user_id", tokenSecret, checkOrigin, roster, limits, onNotice } = options;
  const server = node.httpServer;
  if (server === undefined) throw new InvalidArgumentError("node", "must have the option http");
  const socket = new PhoenixSocket<Assigns>(node, {
    connect: connectOf(node, key, tokenSecret),
    ...(checkOrigin === undefined ? {} : { checkOrigin }),
    ...(roster === undefined ? {} : { roster }),
    ...(limits === undefined ? {} : { limits }),
    ...(onNotice === undefined ? {} : { onNotice }),
  });
  socket.channel("*", {
    join: node.access === undefined ? trackJoiner : trackIfAllowed,
    handleIn: relay,
    // Who is present may say so in other words.
    publishes: (event) => event !== CLIENT_EVENT.update,
  });
  socket.attach(server, path);
  const isOpen = tokenSecret === undefined && node.access === undefined;
  const client = isOpen ? npmClientHandler({ path, key }) : undefined;
  if (client !== undefined)
    void node.whenStopping.then(attach(server, "/", { request: client, upgrade: notOurs }));
  return socket;
}

function connectOf(node: AnyNode, key: string, tokenSecret: string | undefined) {
  if (tokenSecret !== undefined) return byToken(key, tokenSecret);
  return node.access === undefined ? byParameter(key) : byIdentity;
}

/** Whoever connects is who the node's `access` says. */
function byIdentity(_params: Params, { identity }: ConnectionInfo): Assigns | undefined {
  return named(identity?.id);
}

/** Whoever connects is who they say. */
function byParameter(key: string) {
  return (params: Params): Assigns | undefined => named(params[key]);
}

/** Whoever connects is who the signer of their token says. */
function byToken(key: string, secret: string) {
  const verify = tokenVerifier(secret);
  return async (params: Params, { authToken }: ConnectionInfo): Promise<Assigns | undefined> => {
    const token = authToken ?? params.token;
    const claims = typeof token === "string" ? await verify(token) : undefined;
    const name = claims?.[key];
    return named(typeof name === "number" ? String(name) : name);
  };
}

function named(name: unknown): Assigns | undefined {
  if (typeof name !== "string" || name === "" || Buffer.byteLength(name) > KEY_BYTES_MAX) return undefined;
  return { key: name };
}

/** A meta that is too large is told to whoever sent it, rather than taken for a fault of the server. */
function trackJoiner(params: Payload, channel: Channel<Assigns>): Reply {
  const { key } = channel.assigns;
  const meta = { ...describedBy(params), online_at: nowInSeconds() };
  return refusing(() => void channel.track(key, meta), { key });
}

/** Whoever may not be present may still watch. */
async function trackIfAllowed(params: Payload, channel: Channel<Assigns>): Promise<Reply> {
  const { key } = channel.assigns;
  return (await channel.may("track", key)) ? trackJoiner(params, channel) : { ok: { key } };
}

const relay: AnyHandler<Assigns> = (event, payload, channel) => {
  if (event.startsWith("phx_") || RESERVED.has(event)) return { error: { reason: "reserved event" } };
  if (event === CLIENT_EVENT.update) return refusing(() => describeAnew(payload, channel));
  if (event === CLIENT_EVENT.message) return refusing(() => passOn(payload, channel));
  return refusing(() => channel.broadcast(event, payload));
};

/** Since when somebody is present does not change with what they say of themselves. */
function describeAnew(payload: Payload, channel: Channel<Assigns>): void {
  const meta = describedBy(payload);
  channel.update(channel.assigns.key, ({ online_at }) => ({ ...meta, online_at }));
}

/** To everybody else, with the name that the server knows of the sender, which nobody can choose. */
function passOn(payload: Payload, channel: Channel<Assigns>): void {
  const message = typeof payload === "object" && payload !== null ? payload : {};
  const event = "event" in message ? message.event : undefined;
  if (typeof event !== "string") throw new InvalidArgumentError("event", "must be a text");
  const content = "payload" in message ? message.payload : null;
  const { key } = channel.assigns;
  channel.broadcastFrom(CLIENT_EVENT.message, { event, payload: content, key });
}

/** The map `meta` of what a client sent, or nothing where there is none. */
function describedBy(payload: Payload): Meta {
  const own = typeof payload === "object" && payload !== null && "meta" in payload ? payload.meta : undefined;
  return typeof own === "object" && own !== null && !Array.isArray(own) ? { ...(own as Meta) } : {};
}

/** Tells the client what it has asked too much of: in words, and by the code of the error. */
function refusing(work: () => void, ok: Payload = {}): Reply {
  try {
    work();
  } catch (error) {
    if (!(error instanceof PresentlyError)) throw error;
    return { error: { reason: error.message, code: error.code } };
  }
  return { ok };
}

function notOurs(): boolean {
  return false;
}
