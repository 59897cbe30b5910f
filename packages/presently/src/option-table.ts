/**
 * Every option of a node, once: `createNode` and the configuration file name it by its path, the command by its
 * flag, and the checks, the `--help` and the README's table are all made of this list.
 */

import { REPLICA_DEFAULTS } from "@presently/replica";

/** How a value is checked. `texts` is a list of texts, given on the command line by repeating the flag. */
export type OptionKind = "text" | "texts" | "integer" | "switch";

/** One option: where it stands, what it may be, and what it is for. */
export interface OptionSpec {
  /** Where it stands in `NodeOptions`; a dot leads into `mesh`, `http` or `mesh.tls`. */
  readonly path: string;
  readonly kind: OptionKind;
  /** The flag of `presently start`; an option without one is set by the configuration file only. */
  readonly flag?: string;
  /**
   * The flag takes the path of a file that holds the text; so does, in the configuration file, the same field with
   * `File` at its end. Values of such options are never shown: one of them is a private key.
   */
  readonly file?: true;
  /** What the number counts: `ms`, `bytes`, `entries` … */
  readonly unit?: string;
  /** The value when it is not given; undefined where `defaultText` says what happens instead. */
  readonly default?: string | number | boolean;
  readonly defaultText?: string;
  /** Smallest and largest integer accepted. */
  readonly min?: number;
  readonly max?: number;
  /** What it does, and what a larger value buys and costs. */
  readonly help: string;
}

/** Durations must fit the timers of Node.js, and lengths its buffers: 31 bits each. */
const TIMER_MS_MAX = 2_147_483_647;
const COUNT_MAX = 2_147_483_647;

const durationMs = (
  path: string,
  flag: string | undefined,
  byDefault: number,
  min: number,
  help: string,
): OptionSpec => ({
  path,
  ...(flag === undefined ? {} : { flag }),
  kind: "integer",
  unit: "ms",
  default: byDefault,
  min,
  max: TIMER_MS_MAX,
  help,
});

const bound = (
  path: string,
  flag: string | undefined,
  unit: string,
  byDefault: number,
  help: string,
): OptionSpec => ({
  path,
  ...(flag === undefined ? {} : { flag }),
  kind: "integer",
  unit,
  default: byDefault,
  min: 1,
  max: COUNT_MAX,
  help,
});

/** A bound on one address or connection. Loopback is spared by default: a proxy there stands for many. */
const addressBound = (
  path: string,
  flag: string,
  unit: string,
  beyondLoopback: number,
  help: string,
): OptionSpec => ({
  path,
  flag,
  kind: "integer",
  unit,
  defaultText: `${beyondLoopback}, none for loopback`,
  min: 1,
  max: COUNT_MAX,
  help,
});

/** A bound or duration that the replica itself knows, with the default that it has there. */
const ofReplica = (
  path: string & keyof typeof REPLICA_DEFAULTS,
  flag: string | undefined,
  unit: string,
  help: string,
): OptionSpec => ({
  path,
  ...(flag === undefined ? {} : { flag }),
  kind: "integer",
  unit,
  default: REPLICA_DEFAULTS[path],
  min: path === "flushIntervalMs" || path === "diffIntervalMs" ? 0 : 1,
  max: unit === "ms" ? TIMER_MS_MAX : COUNT_MAX,
  help,
});

const text = (
  path: string,
  flag: string,
  byDefault: { value: string } | { otherwise: string },
  help: string,
): OptionSpec => ({
  path,
  flag,
  kind: "text",
  ...("value" in byDefault ? { default: byDefault.value } : { defaultText: byDefault.otherwise }),
  help,
});

const pem = (path: string, flag: string, defaultText: string, help: string): OptionSpec => ({
  path,
  flag,
  kind: "text",
  file: true,
  defaultText,
  help,
});

/** The options, in the order in which the documentation shows them. */
export const optionTable: readonly OptionSpec[] = [
  text(
    "name",
    "--name",
    { otherwise: "required" },
    "Name of this node: unique in the cluster, the same after a restart.",
  ),
  text(
    "cluster",
    "--cluster",
    { value: "presently" },
    "Name of the cluster; nodes of another one are refused.",
  ),
  text(
    "mesh.host",
    "--mesh",
    { value: "127.0.0.1" },
    "Address on which other nodes reach this one. Without `mesh` the node stands alone.",
  ),
  {
    path: "mesh.port",
    flag: "--mesh",
    kind: "integer",
    defaultText: "required with `mesh`",
    min: 0,
    max: 65_535,
    help: "Port of the mesh; 0 takes any free one.",
  },
  {
    path: "mesh.peers",
    flag: "--peer",
    kind: "texts",
    defaultText: "none",
    help: "ws:// or wss:// URL of another node; dialled for ever. Give several: one that answers is enough. dns+ws://name:port stands for every address of a name, srv+ws://_service._tcp.name for its SRV records; with wss likewise.",
  },
  durationMs(
    "mesh.dnsIntervalMs",
    "--dns-interval-ms",
    10_000,
    1,
    "Pause before the names among the peers are looked up again; when a node is missed, that happens within `mesh.dialMaxMs`.",
  ),
  text(
    "mesh.advertise",
    "--advertise",
    { otherwise: "the mesh address" },
    "ws:// or wss:// URL at which the other nodes reach this one, where that is not the address it listens on.",
  ),
  pem(
    "mesh.tls.cert",
    "--tls-cert",
    "required with `mesh.tls`",
    "Certificate of this node in PEM, and those between it and its authority. With it the mesh speaks TLS only (wss://).",
  ),
  pem(
    "mesh.tls.key",
    "--tls-key",
    "required with `mesh.tls`",
    "Private key of that certificate in PEM, not encrypted.",
  ),
  pem(
    "mesh.tls.ca",
    "--tls-ca",
    "those of Node.js",
    "Certificates in PEM of the authorities that are believed when other nodes show theirs.",
  ),
  {
    path: "mesh.tls.requestClientCertificate",
    flag: "--tls-client-certificates",
    kind: "switch",
    default: false,
    help: "Ask everyone who dials this node for a certificate of `mesh.tls.ca` (mutual TLS).",
  },
  text(
    "mesh.tls.serverName",
    "--tls-server-name",
    { otherwise: "the host that is dialled" },
    "Name that the certificate of every other node must carry, where one certificate serves them all.",
  ),
  {
    path: "mesh.peerGossip",
    flag: "--no-peer-gossip",
    kind: "switch",
    default: true,
    help: "Learn the addresses of further nodes from the peers.",
  },
  text(
    "http.host",
    "--http",
    { value: "127.0.0.1" },
    "Address of the HTTP API and the page. One that other machines can reach needs `access`, or `http.open`.",
  ),
  {
    path: "http.port",
    flag: "--http",
    kind: "integer",
    defaultText: "required with `http`",
    min: 0,
    max: 65_535,
    help: "Port of the HTTP API; 0 takes any free one.",
  },
  {
    path: "http.open",
    flag: "--open",
    kind: "switch",
    default: false,
    help: "Let whoever reaches the HTTP address do everything, as on loopback. For networks that only those can reach who may.",
  },
  {
    path: "http.trustedProxies",
    flag: "--trusted-proxy",
    kind: "texts",
    defaultText: "none",
    help: "Address or network (10.0.0.0/8) of a proxy whose X-Forwarded-For is believed.",
  },
  {
    path: "http.allowedOrigins",
    flag: "--allowed-origin",
    kind: "texts",
    defaultText: "none",
    help: "Origin of a web page (https://example.org) that may use the API from a browser; * allows every one.",
  },
  ofReplica(
    "heartbeatIntervalMs",
    "--heartbeat-ms",
    "ms",
    "Pause between heartbeats. Smaller finds losses sooner and costs idle traffic.",
  ),
  ofReplica(
    "downAfterMs",
    "--down-after-ms",
    "ms",
    "Silence after which a node counts as down and its presences are hidden.",
  ),
  ofReplica(
    "evictAfterMs",
    "--evict-after-ms",
    "ms",
    "Silence after which a node is forgotten, its presences with it.",
  ),
  ofReplica(
    "flushIntervalMs",
    "--flush-ms",
    "ms",
    "Least time between two deltas: a change on its own goes at the end of its turn of the event loop, those that follow it travel together.",
  ),
  durationMs(
    "handoffMs",
    "--handoff-ms",
    0,
    0,
    "After a graceful stop the others show this node's presences for so long; those that re-appear elsewhere in it never blink.",
  ),
  durationMs(
    "readyGraceMs",
    "--ready-grace-ms",
    3_000,
    0,
    "How long a starting node waits for configured peers that do not answer before it counts as ready without them.",
  ),
  ofReplica("metaBytesMax", "--meta-bytes-max", "bytes", "Size of one meta as JSON."),
  ofReplica("topicBytesMax", "--topic-bytes-max", "bytes", "Length of a topic in UTF-8."),
  ofReplica("keyBytesMax", "--key-bytes-max", "bytes", "Length of a key in UTF-8."),
  ofReplica(
    "broadcastBytesMax",
    "--broadcast-bytes-max",
    "bytes",
    "Size of one broadcast, message, request or reply as JSON. To encode more takes the event loop its time; raw bytes take none.",
  ),
  ofReplica(
    "messageBytesMax",
    "--message-bytes-max",
    "bytes",
    "Raw bytes of one broadcast, message, request or reply: a payload of bytes, or the buffers of a `Packet`.",
  ),
  ofReplica(
    "messagePartsBytesMax",
    undefined,
    "bytes",
    "Messages in parts that are coming in, of all nodes together; one for which there is no room is refused.",
  ),
  ofReplica(
    "messageTimeoutMs",
    undefined,
    "ms",
    "A message in parts of which nothing is acknowledged for so long is lost.",
  ),
  ofReplica(
    "messagesWaitingBytesMax",
    undefined,
    "bytes",
    "Messages that wait for each other node, until there is a way to it or behind a large one; what comes beyond is lost.",
  ),
  ofReplica(
    "requestsMax",
    undefined,
    "requests",
    "Requests of this node that wait for an answer, and of each peer that it has not answered yet.",
  ),
  ofReplica(
    "interestsMax",
    undefined,
    "topics",
    "Topics that a node names to each other as those whose broadcasts it wants; with more it gets all.",
  ),
  ofReplica(
    "interestTimeoutMs",
    undefined,
    "ms",
    "How long a subscription waits for a node to say that it knows of it.",
  ),
  ofReplica("sessionsMax", "--sessions-max", "sessions", "Open sessions of this node."),
  ofReplica(
    "entriesPerSessionMax",
    "--entries-per-session-max",
    "entries",
    "Entries of one session; all that is PUT over HTTP with one `id` belongs to one.",
  ),
  ofReplica(
    "entriesPerTopicMax",
    "--entries-per-topic-max",
    "entries",
    "Entries of one topic, from every node, above which this node adds none to it.",
  ),
  ofReplica(
    "entriesPerNodeMax",
    "--entries-per-node-max",
    "entries",
    "Entries of all sessions of this node.",
  ),
  ofReplica(
    "diffIntervalMs",
    "--diff-interval-ms",
    "ms",
    "Diffs of large topics are told at most this often, each the net change since the last one. 0: every change at once.",
  ),
  ofReplica(
    "diffIntervalEntries",
    "--diff-interval-entries",
    "entries",
    "From how many entries on a topic counts as large for `diffIntervalMs`.",
  ),
  ofReplica(
    "countIntervalMs",
    undefined,
    "ms",
    "Those who watch nothing but the count of a topic are told of it at most this often.",
  ),
  ofReplica("watchersMax", "--watchers-max", "watchers", "Watchers of this node, on all topics together."),
  ofReplica(
    "replicasMax",
    undefined,
    "replicas",
    "Nodes known at a time, and nodes that were forgotten whose return is still recognised.",
  ),
  ofReplica(
    "pendingMax",
    undefined,
    "entries",
    "Entries that peers say are removed and that are not known here yet; beyond it, the link of who names more is closed.",
  ),
  ofReplica(
    "heartbeatFanout",
    undefined,
    "peers",
    "Heartbeats go to all peers up to this many, and to so many chosen at random beyond.",
  ),
  ofReplica(
    "probeIntervalMs",
    undefined,
    "ms",
    "Pause between two questions to the others about a node whose link was lost.",
  ),
  ofReplica(
    "pullTimeoutMs",
    undefined,
    "ms",
    "Time after which a peer that does not send what was asked of it is given up, and another one is asked.",
  ),
  ofReplica(
    "logSizeMax",
    undefined,
    "changes",
    "Changes kept per node for peers that missed a few; one that missed more gets the full state.",
  ),
  ofReplica(
    "frameBytesTarget",
    undefined,
    "bytes",
    "Size at which changes and sync are cut into frames; smaller holds the event loop for a shorter time.",
  ),
  ofReplica(
    "sweepEntriesMax",
    undefined,
    "entries",
    "Entries of a node that comes or goes that are shown or hidden before the event loop goes on.",
  ),
  ofReplica(
    "syncsMax",
    undefined,
    "peers",
    "Peers that are brought up to date at a time; others wait a heartbeat.",
  ),
  ofReplica("syncRangesMax", undefined, "ranges", "Ranges of live entries accepted in one full state."),
  durationMs(
    "mesh.dialMinMs",
    "--dial-min-ms",
    100,
    1,
    "Shortest pause before a peer is dialled again; it doubles with every failure, with jitter.",
  ),
  durationMs(
    "mesh.dialMaxMs",
    "--dial-max-ms",
    500,
    1,
    "Longest pause before a peer is dialled again: a partition heals here at most so long after the network does.",
  ),
  durationMs(
    "mesh.handshakeTimeoutMs",
    "--handshake-timeout-ms",
    2_000,
    1,
    "Time that a dialled peer has for each step of a handshake at first; up to four times it where that was too short, as on slow networks.",
  ),
  durationMs(
    "mesh.silentAfterMs",
    "--silent-after-ms",
    5_000,
    1,
    "A link over which not a byte came for so long is closed and dialled again; idle links are kept alive by pings.",
  ),
  bound(
    "mesh.frameBytesMax",
    "--frame-bytes-max",
    "bytes",
    1_048_576,
    "Largest frame taken from a peer; a larger one closes its link.",
  ),
  bound(
    "mesh.maxBufferedBytes",
    "--max-buffered-bytes",
    "bytes",
    4_194_304,
    "Unsent bytes of a link above which nothing more is pushed to it; the peer then catches up by pulling.",
  ),
  bound("mesh.linksMax", "--links-max", "links", 256, "Links with other nodes at a time."),
  bound(
    "mesh.pendingHandshakesMax",
    undefined,
    "connections",
    64,
    "Connections of others that have not proved themselves yet, at a time.",
  ),
  bound(
    "mesh.addressesMax",
    undefined,
    "addresses",
    1_024,
    "Addresses known at a time, configured ones included.",
  ),
  {
    path: "http.bodyBytesMax",
    flag: "--body-bytes-max",
    kind: "integer",
    unit: "bytes",
    defaultText: "65536, or twice `metaBytesMax` if that is more",
    min: 1,
    max: COUNT_MAX,
    help: "Size of a request body.",
  },
  durationMs(
    "http.requestTimeoutMs",
    "--request-timeout-ms",
    10_000,
    1,
    "Time that a client has to send its whole request.",
  ),
  bound(
    "http.connectionsMax",
    "--connections-max",
    "connections",
    12_000,
    "Connections of HTTP clients at a time; further ones are closed.",
  ),
  addressBound(
    "http.connectionsPerAddressMax",
    "--connections-per-address-max",
    "connections",
    1_000,
    "Connections of one address at a time (IPv6: of one /64), and requests of one behind a trusted proxy; further ones get a 429.",
  ),
  addressBound(
    "http.requestsPerAddressPerSecondMax",
    "--requests-per-address-max",
    "requests a second",
    100,
    "Requests, and connections, that one address may begin in a second, and at once; further ones get a 429.",
  ),
  addressBound(
    "http.requestsPerConnectionPerSecondMax",
    "--requests-per-connection-max",
    "requests a second",
    100,
    "Requests that one connection may send in a second, and at once; further ones get a 429.",
  ),
  bound(
    "http.addressesMax",
    undefined,
    "addresses",
    65_536,
    "Addresses for which connections and requests are counted at a time; one that has nothing open makes room for another.",
  ),
  durationMs(
    "http.hookTimeoutMs",
    "--hook-timeout-ms",
    5_000,
    1,
    "Time that a hook of `access` has to answer; later, the request is refused.",
  ),
  bound("http.streamsMax", "--streams-max", "streams", 10_000, "Open event streams at a time."),
  bound(
    "http.eventBufferBytesMax",
    "--event-buffer-bytes-max",
    "bytes",
    1_048_576,
    "Unsent bytes of one event stream, besides the first state, above which it is closed as too slow.",
  ),
  bound(
    "http.eventBuffersBytesMax",
    "--event-buffers-bytes-max",
    "bytes",
    268_435_456,
    "Unsent bytes of all event streams together above which no further one is opened.",
  ),
  durationMs(
    "http.eventHeartbeatMs",
    "--event-heartbeat-ms",
    15_000,
    100,
    "Pause between the comments that keep an idle event stream open.",
  ),
  {
    path: "http.page",
    flag: "--no-page",
    kind: "switch",
    default: true,
    help: "Serve the page at /.",
  },
  text(
    "logLevel",
    "--log-level",
    { value: "warn" },
    "Least important log line written: debug, info, warn, error or silent. The command's default is info.",
  ),
];

/** The option at a path, which must be one of the table. */
export function optionAt(path: string): OptionSpec {
  const found = byPath.get(path);
  if (found === undefined) {
    throw new TypeError(`no option has the path ${path}`);
  }
  return found;
}

const byPath = new Map(optionTable.map((option) => [option.path, option]));
