/** What a mesh can be told, what it takes when it is told nothing, and which combinations it refuses. */
import {
  ConfigurationError,
  checkFunction,
  checkObject,
  checkString,
  InvalidArgumentError,
  isReplicaId,
  LimitError,
  type ReplicaId,
  stringsIn,
} from "@presently/replica";
import { isLoopback, normalizeAddress } from "./address.ts";
import { SecretRequiredError } from "./errors.ts";
import { HANDSHAKE_BOUNDS } from "./frames.ts";
import { HANDSHAKE_BYTES_MAX } from "./handshake.ts";
import { type NameResolver, systemResolver } from "./name-resolver.ts";
import { type PeerName, parsePeerName } from "./peer-name.ts";
import { checkTls, type TlsOptions } from "./tls.ts";

/** Something worth a line in the log. Holds names, addresses and counts; never a secret, never a payload. */
export interface MeshNotice {
  readonly type:
    | "listening"
    | "linked"
    | "unlinked"
    | "refused"
    | "refused-by-peer"
    | "not-needed"
    | "id-taken"
    | "dial-failed"
    | "accept-failed"
    | "resolved"
    | "resolve-failed"
    | "listener-failed";
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly [fact: string]: unknown;
}

/** Our replica id is in use by another process, as a node that both reach found out. */
export interface IdTaken {
  readonly replica: ReplicaId;
  /** Our own address. */
  readonly address: string;
  /** Where the other process is, if the refusing node said so. */
  readonly holder: string | undefined;
  readonly reason: string;
}

/** What this node says it speaks. For tests of version skew. */
export interface ProtocolOptions {
  /** Default 1. Nodes of different major versions refuse each other. */
  readonly major?: number;
  /** Default 0. */
  readonly minor?: number;
  /** Default none. Told to peers, and shown in `links()`. The mesh adds those of its own. */
  readonly capabilities?: readonly string[];
}

/** Every option has a default but `cluster` and `replica`. Durations are milliseconds, sizes bytes. */
export interface MeshOptions {
  /** Only nodes that name the same cluster link. 1 to 255 characters. */
  readonly cluster: string;
  /** Who we are. */
  readonly replica: ReplicaId;
  /**
   * The cluster's secrets, in order of preference: one, and during a change of secret both the new and the old. Random
   * and long: 32 bytes from a generator. Default none, which is allowed on loopback only, as are
   * secrets of fewer than 16 bytes.
   */
  readonly secrets?: readonly string[];
  /** The name or IP address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** The port to listen on; default 0, any free one. */
  readonly port?: number;
  /** Listen with TLS, and who is believed when `wss://` URLs are dialled. Default: listen without. */
  readonly tls?: TlsOptions;
  /** The `ws://` or `wss://` URL at which peers reach us. Default: made of host and port. */
  readonly advertise?: string;
  /**
   * The URLs to dial from the start, for ever, may hold our own. `ws://` and `wss://` URLs are dialled as they are;
   * `dns+ws://name:port` stands for every A and AAAA record of a name, `srv+ws://_service._tcp.name` for every host and
   * port in its SRV records, and with `wss` likewise. Default none.
   */
  readonly peers?: readonly string[];
  /**
   * How often the names among the peers are looked up again. They are also when a peer is missed, at most once in
   * `dialMaxMs`. Default 10,000.
   */
  readonly dnsIntervalMs?: number;
  /** Who is asked about names. Default: the system. */
  readonly resolver?: NameResolver;
  /**
   * Whether to learn addresses from peers that do so too, and to tell them those of others. Off, this node dials only
   * `peers`, and is dialled only by who is configured to. Default true.
   */
  readonly peerGossip?: boolean;
  /** The first wait before an address is dialled again; it doubles with each failure. Default 100. */
  readonly dialMinMs?: number;
  /** The longest wait: a partition heals this long after the network does. Lower costs more dials. Default 500. */
  readonly dialMaxMs?: number;
  /**
   * How long a peer that we dial may take for each step of a handshake at first. Each attempt that was too short doubles
   * it for the next, up to four times it; once linked, it follows the round trip. Who dials us may take four times it.
   * Default 2,000.
   */
  readonly handshakeTimeoutMs?: number;
  /**
   * A link on which not a byte came for so long, or for three of its round trips, is closed; idle links are kept alive
   * by pings. Default 5,000.
   */
  readonly silentAfterMs?: number;
  /** The largest frame a peer may send. Default 1 MiB. */
  readonly frameBytesMax?: number;
  /** A link with more than this in its buffer is congested; with four times this, it is closed. Default 4 MiB. */
  readonly maxBufferedBytes?: number;
  /** Links at a time. Default 256. */
  readonly linksMax?: number;
  /** Connections from others that are not links yet, at a time. Default 64. */
  readonly pendingHandshakesMax?: number;
  /** Addresses known at a time, the configured ones included. Default 1,024. */
  readonly addressesMax?: number;
  /** Jitter for the back-off: numbers in [0, 1). Default Math.random. Nonces do not come from it. */
  readonly random?: () => number;
  /** Told what is worth a line in the log. Default: nobody. */
  readonly log?: (notice: MeshNotice) => void;
  /** Takes what the listener or one of these functions threw. Default: it is thrown where nobody catches it. */
  readonly onError?: (error: unknown) => void;
  /** A peer refuses us because another process has our replica id. */
  readonly onIdTaken?: (info: IdTaken) => void;
  /** A peer refuses us because it knows this newer incarnation of our name. */
  readonly onStaleIncarnation?: (newest: number) => void;
  readonly protocol?: ProtocolOptions;
}

type Hooks = "log" | "onError" | "onIdTaken" | "onStaleIncarnation" | "advertise" | "tls";

/** The options with their defaults filled in, addresses normalized; `peers` are those that are not to be looked up. */
export type Settings = Required<Omit<MeshOptions, Hooks | "protocol">> &
  Pick<MeshOptions, Hooks> & {
    readonly protocol: Required<ProtocolOptions>;
    /** The names among the peers. */
    readonly names: readonly PeerName[];
  };

/** The fewest bytes of a secret where other machines reach the mesh. Somebody who sees a handshake can try guesses at leisure. */
export const SECRET_BYTES_MIN = 16;
const FUNCTIONS = ["random", "log", "onError", "onIdTaken", "onStaleIncarnation"] as const;

/** Whether the text is a peer that can be dialled: an address, or a name to look up. */
export function isPeer(text: string): boolean {
  checkString("peer", text);
  return normalizeAddress(text) !== undefined || parsePeerName(text) !== undefined;
}

/**
 * Fills in the defaults.
 *
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for an option that cannot be used
 * @throws {ConfigurationError} `INVALID_CONFIGURATION` for two that contradict each other
 * @throws {SecretRequiredError} `SECRET_REQUIRED`
 * @throws {LimitError} `LIMIT_REACHED` for more peers than `addressesMax`, or more secrets than fit a handshake
 */
export function resolveOptions(options: MeshOptions): Settings {
  checkObject("options", options);
  const { advertise, protocol = {} } = options;
  const peers = stringsIn("option peers", options.peers ?? []);
  stringsIn("option secrets", options.secrets ?? []);
  checkObject("option protocol", protocol);
  stringsIn("option protocol.capabilities", protocol.capabilities ?? []);
  for (const name of FUNCTIONS)
    if (options[name] !== undefined) checkFunction(`option ${name}`, options[name]);
  const names = peers.map(parsePeerName);
  const settings: Settings = {
    secrets: [],
    host: "127.0.0.1",
    port: 0,
    peerGossip: true,
    dnsIntervalMs: 10_000,
    resolver: systemResolver,
    dialMinMs: 100,
    dialMaxMs: 500,
    handshakeTimeoutMs: 2000,
    silentAfterMs: 5000,
    frameBytesMax: 1024 * 1024,
    maxBufferedBytes: 4 * 1024 * 1024,
    linksMax: 256,
    pendingHandshakesMax: 64,
    addressesMax: 1024,
    random: Math.random,
    ...withoutUndefined(options),
    peers: [
      ...new Set(peers.filter((_, index) => names[index] === undefined).map((peer) => requirePeer(peer))),
    ],
    names: [...new Map(names.flatMap((name) => (name === undefined ? [] : [[name.text, name]]))).values()],
    ...(advertise === undefined ? {} : { advertise: requireAddress("option advertise", advertise) }),
    protocol: { major: 1, minor: 0, capabilities: [], ...withoutUndefined(protocol) },
  };
  checkIdentity(settings);
  checkNumbers(settings);
  checkContradictions(settings);
  return settings;
}

function checkIdentity({ cluster, replica, secrets, protocol }: Settings): void {
  const { clusterLengthMax, replicaLengthMax, capabilitiesMax, capabilityLengthMax } = HANDSHAKE_BOUNDS;
  require(isText(
    cluster,
    clusterLengthMax,
  ), "option cluster", `must be 1 to ${clusterLengthMax} characters long`);
  require(isText(replica, replicaLengthMax) &&
    isReplicaId(replica), "option replica", "must be a replica id");
  require(secrets.every((secret) =>
    isText(secret, 4096),
  ), "option secrets", "must hold texts that are not empty");
  if (secrets.length > HANDSHAKE_BOUNDS.secretsMax) {
    throw new LimitError("secrets", HANDSHAKE_BOUNDS.secretsMax, `${secrets.length} secrets`);
  }
  const { capabilities } = protocol;
  require(capabilities.length <= capabilitiesMax &&
    capabilities.every((name) =>
      isText(name, capabilityLengthMax),
    ), "option protocol.capabilities", `must be at most ${capabilitiesMax} texts of at most ${capabilityLengthMax} characters`);
  require(isWhole(protocol.major, 0, 255), "option protocol.major", "must be a whole number from 0 to 255");
}

function checkNumbers(settings: Settings): void {
  const positive = [
    "dialMinMs",
    "dialMaxMs",
    "dnsIntervalMs",
    "handshakeTimeoutMs",
    "silentAfterMs",
    "frameBytesMax",
    "maxBufferedBytes",
    "linksMax",
    "pendingHandshakesMax",
    "addressesMax",
  ] as const;
  // Node's timers take no more than 2^31 - 1 milliseconds, and WebSocket limits no more bytes.
  for (const name of positive) {
    require(isWhole(settings[name], 1, 2 ** 31 - 1), `option ${name}`, "must be a whole number above 0");
  }
  require(isWhole(settings.port, 0, 65_535), "option port", "must be a whole number from 0 to 65535");
}

function checkContradictions(settings: Settings): void {
  const { secrets, host, peers, names, addressesMax, dialMinMs, dialMaxMs, frameBytesMax, maxBufferedBytes } =
    settings;
  checkString("option host", host);
  if (secrets.length === 0 && !isLoopback(host)) throw new SecretRequiredError(host);
  if (!isLoopback(host) && secrets.some((secret) => Buffer.byteLength(secret) < SECRET_BYTES_MIN))
    throw new ConfigurationError(
      `host ${host} can be reached by other machines, and one of secrets has fewer than ${SECRET_BYTES_MIN} bytes: ` +
        "make one with openssl rand -hex 32, or listen on 127.0.0.1",
    );
  if (settings.tls !== undefined) checkTls(settings.tls, settings.advertise);
  const peersCount = peers.length + names.length;
  if (peersCount > addressesMax) throw new LimitError("addressesMax", addressesMax, `${peersCount} peers`);
  if (dialMinMs > dialMaxMs) {
    throw new ConfigurationError(`dialMinMs (${dialMinMs}) must not be above dialMaxMs (${dialMaxMs})`);
  }
  if (frameBytesMax > maxBufferedBytes) {
    throw new ConfigurationError(
      `frameBytesMax (${frameBytesMax}) must not be above maxBufferedBytes (${maxBufferedBytes}): one frame would congest a link`,
    );
  }
  if (frameBytesMax < HANDSHAKE_BYTES_MAX) {
    throw new ConfigurationError(`frameBytesMax (${frameBytesMax}) must be at least ${HANDSHAKE_BYTES_MAX}`);
  }
}

function requirePeer(peer: string): string {
  const normalized = normalizeAddress(peer);
  const known = "a ws://, wss://, dns+ws(s)://name:port or srv+ws(s)://_service._tcp.name URL to dial";
  require(normalized !== undefined, "option peers", `has ${JSON.stringify(peer)}, which is not ${known}`);
  return normalized!;
}

function requireAddress(what: string, address: string): string {
  checkString(what, address);
  const normalized = normalizeAddress(address);
  const problem = `has ${JSON.stringify(address)}, which is not a ws:// or wss:// URL to dial`;
  require(normalized !== undefined, what, problem);
  return normalized!;
}

function require(holds: boolean, what: string, problem: string): void {
  if (!holds) throw new InvalidArgumentError(what, problem);
}

function isText(value: unknown, lengthMax: number): boolean {
  return typeof value === "string" && value.length > 0 && Buffer.byteLength(value) <= lengthMax;
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

/** So that an option given as undefined means its default. */
function withoutUndefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
