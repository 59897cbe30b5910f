/** The face of the package: one node's end of a mesh of authenticated WebSocket links. */
import { randomBytes } from "node:crypto";
import {
  ClosedError,
  ConfigurationError,
  checkObject,
  InvalidArgumentError,
  nameOf,
  ProtocolError,
  type ReplicaId,
  type Transport,
  type TransportListener,
} from "@presently/replica";
import { addressOf, reachableAddress } from "./address.ts";
import type { Role } from "./admission.ts";
import { Announcer } from "./announcer.ts";
import { conflictIn } from "./conflict.ts";
import type { ConnectionEnd } from "./connection.ts";
import { Discovery } from "./discovery.ts";
import { FRAME } from "./frames.ts";
import { Gate } from "./gate.ts";
import { Gossip, PEER_GOSSIP } from "./gossip.ts";
import type { Self } from "./handshake.ts";
import { CLOSE } from "./hang-up.ts";
import { Journal } from "./journal.ts";
import { Link, type LinkEnd, type LinkEvents, type LinkInfo } from "./link.ts";
import { LinkTable } from "./link-table.ts";
import { NameWatch } from "./name-watch.ts";
import { type MeshNotice, type MeshOptions, resolveOptions, type Settings } from "./options.ts";
import { refusal } from "./refusal.ts";
import { Keyring } from "./secrets.ts";
import { Server } from "./server.ts";
import { checkTls, type TlsOptions } from "./tls.ts";

/**
 * Listens for peers, dials peers, and keeps one link with each node that it can reach.
 *
 * The listener is told of peers and frames, one call at a time; never from inside a call it makes to the mesh.
 * Nothing is listened on or dialled before `listen`.
 */
export class Mesh implements Transport {
  readonly #settings: Settings;
  readonly #listener: TransportListener;
  readonly #keyring: Keyring;
  readonly #journal: Journal;
  readonly #announcer: Announcer;
  readonly #discovery: Discovery;
  readonly #names: NameWatch;
  readonly #gossip: Gossip;
  readonly #gate: Gate;
  readonly #server: Server;
  /** Tells this process from any other that uses, or used, the same replica id. */
  readonly #instance = randomBytes(16).toString("hex");
  readonly #links = new LinkTable();
  readonly #linkEvents: LinkEvents;
  #replica: ReplicaId;
  #url: string;
  #closing: Promise<void> | undefined;

  /** @throws what `resolveOptions` throws: options that cannot be used, alone or together */
  constructor(options: MeshOptions, listener: TransportListener) {
    requireNode();
    const settings = resolveOptions(options);
    checkObject("listener", listener, ["peerUp", "peerDown", "unreachable", "drained", "frame"]);
    this.#settings = settings;
    this.#listener = listener;
    this.#replica = settings.replica;
    this.#url = this.#urlOn(settings.port);
    this.#keyring = new Keyring(settings.secrets);
    this.#journal = new Journal({ log: (notice) => this.#log(notice), now });
    this.#announcer = new Announcer((error) => this.#report(error));
    this.#discovery = new Discovery({
      ...settings,
      node: nameOf(settings.replica),
      configured: settings.peers,
      now,
      ownAddress: () => this.#url,
      linked: (node) => this.#links.withNode(node)?.replica,
      dial: (address, patienceMs) => this.#gate.dial(address, this.#discovery.nameFor(address), patienceMs),
      refreshNames: () => this.#names.soon(),
      unreachable: (peer, reason) => this.#announcer.later(() => listener.unreachable(peer, reason)),
    });
    this.#names = new NameWatch({
      names: settings.names,
      resolver: settings.resolver,
      intervalMs: settings.dnsIntervalMs,
      pauseMs: settings.dialMaxMs,
      addressesMax: settings.addressesMax,
      now,
      onChange: (addresses) => this.#discovery.takeNames(addresses),
      onAnswer: (name, addresses) => this.#journal.resolved(name, addresses),
      onFailure: (name, reason) => this.#journal.resolveFailed(name, reason),
    });
    this.#gossip = new Gossip({
      enabled: settings.peerGossip,
      major: settings.protocol.major,
      links: this.#links,
      discovery: this.#discovery,
    });
    this.#gate = new Gate({
      ...settings,
      now,
      self: () => this.#self(),
      incumbent: (peer) => this.#links.withNode(nameOf(peer)),
      full: () => this.#links.size >= settings.linksMax,
      lostLinkId: (peer) => this.#discovery.lostLinkId(peer),
      onAnswered: (address, peer) => this.#discovery.answered(address, peer),
      onEnd: (role, remote, end) => this.#connectionEnded(role, remote, end),
    });
    this.#server = new Server({
      ...settings,
      connectionsMax: settings.linksMax + 2 * settings.pendingHandshakesMax,
      admits: () => this.#gate.admits() && this.#closing === undefined,
      onSocket: (socket, stream) => this.#gate.greet(socket, stream),
      onRefused: (why, remote) => this.#journal.refusal("us", "acceptor", remote, why),
      onError: (error) => this.#journal.acceptFailed(error),
    });
    this.#linkEvents = {
      frame: (link, frame) =>
        this.#announcer.now(() => this.#guard(link, () => listener.frame(link.replica, frame))),
      control: (link, frame) => this.#control(link, frame),
      drained: (link) => this.#announcer.later(() => link.closed || listener.drained(link.replica)),
      closed: (link, end) => this.#linkClosed(link, end),
    };
  }

  /** Where peers can dial us; while the port is 0 and `listen` has not resolved, not yet. */
  get url(): string {
    return this.#url;
  }

  /** Who we are on the mesh. */
  get replica(): ReplicaId {
    return this.#replica;
  }

  /** How many connections and links we refused, by code. */
  get refused(): Readonly<Record<string, number>> {
    return this.#journal.refused;
  }

  /** Begins to listen and to dial. @throws {ListenError} `LISTEN_FAILED` @throws {ClosedError} `CLOSED` */
  async listen(): Promise<void> {
    if (this.#closing !== undefined) throw new ClosedError("the mesh");
    const port = await this.#server.listen();
    if (this.#closing !== undefined) {
      await this.#server.close();
      throw new ClosedError("the mesh");
    }
    this.#url = this.#urlOn(port);
    this.#journal.listening(this.#replica, this.#url);
    this.#discovery.start();
    this.#names.soon();
  }

  /**
   * Uses another certificate, key and authorities for connections from now on, as server and as client: links that are up
   * go on. Whether clients must show certificates, and the name that peers' certificates carry, stay as they were.
   *
   * @throws {InvalidArgumentError} for what is not PEM @throws {ConfigurationError} if they contradict each other, or if
   *   the mesh was not given any at its start; nothing is changed then
   */
  renewTls(renewed: Pick<TlsOptions, "cert" | "key" | "ca">): void {
    const { tls, advertise } = this.#settings;
    if (tls === undefined)
      throw new ConfigurationError("this mesh does not speak TLS: give it tls when it is made");
    const next = { ...tls, ...renewed };
    checkTls(next, advertise);
    this.#server.renewTls(next);
    this.#gate.renewTls(next);
  }

  /** The links that are up. Cost: O(links). */
  links(): LinkInfo[] {
    return this.#links.all().map((link) => link.info());
  }

  send(peer: ReplicaId, frame: Uint8Array): void {
    this.#links.withPeer(peer)?.send(frame);
  }

  congested(peer: ReplicaId): boolean {
    return this.#links.withPeer(peer)?.congested ?? false;
  }

  redial(peer: ReplicaId): void {
    if (this.#closing === undefined) this.#discovery.redial(peer);
  }

  refuse(peer: ReplicaId, code: string, reason: string): void {
    this.#links.withPeer(peer)?.close(CLOSE.refused, { code, reason });
  }

  /**
   * Goes on under another incarnation: closes all links and dials anew. The listener hears `peerDown` for each.
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT` if it is not another life of the same node
   */
  rename(replica: ReplicaId): void {
    if (nameOf(replica) !== nameOf(this.#replica)) {
      throw new InvalidArgumentError("the new replica id", `must be of the node ${nameOf(this.#replica)}`);
    }
    const why = refusal("RENAMED", `${this.#replica} goes on as ${replica}`);
    this.#replica = replica;
    this.#gate.abort(why);
    for (const link of this.#links.all()) link.close(CLOSE.goingAway, why);
    if (this.#closing === undefined) this.#discovery.redialAll();
  }

  /** Forgets a node that will not come back (it left, or was evicted): what peers told of its addresses. */
  forget(node: string): void {
    this.#discovery.forget(node);
  }

  /**
   * Takes and makes no more connections, lets what is buffered go out, and closes every link (code 1001). What has
   * not gone out within `drainMs` (default 1,000) is lost. The listener hears nothing more from now on.
   */
  close(options: { drainMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#shutDown(options.drainMs ?? 1000);
    return this.#closing;
  }

  async #shutDown(drainMs: number): Promise<void> {
    this.#announcer.silence();
    this.#discovery.stop();
    this.#names.stop();
    const serverClosed = this.#server.close();
    const why = refusal("CLOSING", `${this.#replica} stops`);
    this.#gate.abort(why);
    for (const link of this.#links.all()) link.close(CLOSE.goingAway, why, drainMs);
    await this.#gate.closed(drainMs);
    await serverClosed;
  }

  #urlOn(port: number): string {
    const { advertise, host, tls } = this.#settings;
    return advertise ?? addressOf(host, port, tls === undefined ? "ws" : "wss");
  }

  #self(): Self {
    const { cluster, protocol, peerGossip } = this.#settings;
    return {
      ...protocol,
      capabilities: [...protocol.capabilities, ...(peerGossip ? [PEER_GOSSIP] : [])],
      cluster,
      replica: this.#replica,
      instance: this.#instance,
      address: this.#url,
      keyring: this.#keyring,
    };
  }

  #connectionEnded(role: Role, remote: string, end: ConnectionEnd): void {
    if (role === "dialler") this.#discovery.ended(remote, end);
    if (role === "dialler" && end.type === "failed") this.#journal.dialFailed(remote, end.reason);
    if (end.type === "refused") this.#connectionRefused(role, remote, end);
    if (end.type === "linked") this.#install(role, remote, end);
  }

  #connectionRefused(role: Role, remote: string, end: ConnectionEnd & { type: "refused" }): void {
    this.#journal.refusal(end.by, role, remote, end.refusal, end.peer?.replica);
    const conflict = conflictIn(this.#replica, end);
    if (conflict === undefined) return;
    // If it runs, a link with it shows which of the two must stop.
    if (conflict.holder !== undefined) this.#discovery.look(conflict.holder);
    const { onIdTaken, onStaleIncarnation } = this.#settings;
    if (conflict.type === "stale") {
      this.#announcer.later(() => onStaleIncarnation?.(conflict.newest));
    } else {
      const { holder, reason } = conflict;
      const info = { replica: this.#replica, address: this.#url, holder, reason };
      this.#announcer.later(() => onIdTaken?.(info));
    }
  }

  #install(role: Role, remote: string, end: ConnectionEnd & { type: "linked" }): void {
    const { socket, stream, peer, linkId, roundTripMs } = end;
    const node = nameOf(peer.replica);
    const { protocol, maxBufferedBytes, silentAfterMs } = this.#settings;
    const advertised =
      peer.address === undefined ? undefined : reachableAddress(peer.address, stream.remoteAddress);
    const link = new Link({
      socket,
      stream,
      role,
      peer,
      linkId,
      address: role === "dialler" ? remote : (advertised ?? remote),
      advertised,
      ...protocol,
      maxBufferedBytes,
      silentAfterMs,
      roundTripMs,
      now,
      events: this.#linkEvents,
    });
    const why = refusal("REPLACED", `a newer link with ${node} took its place`);
    this.#links.withNode(node)?.close(CLOSE.normal, why);
    this.#links.add(link);
    this.#discovery.linkUp(peer.replica);
    this.#journal.linked(link);
    this.#announcer.later(() => this.#listener.peerUp(peer.replica));
    this.#gossip.introduce(link);
  }

  #linkClosed(link: Link, end: LinkEnd): void {
    const { replica, linkId, livedMs } = link;
    this.#links.delete(link);
    this.#journal.unlinked(link, end);
    const { code, reason } = end.why;
    this.#announcer.later(() => this.#listener.peerDown(replica, `${code}: ${reason}`));
    if (this.#closing === undefined) {
      this.#discovery.linkDown(replica, { linkId, livedMs, refused: end.refused });
    }
  }

  /** Closes the link if `take` finds that its peer broke the protocol. */
  #guard(link: Link, take: () => void): void {
    try {
      take();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      link.close(CLOSE.refused, { code: error.code, reason: error.message });
    }
  }

  #control(link: Link, frame: Uint8Array): void {
    const type = frame[1]!;
    if (type === FRAME.addresses) {
      this.#guard(link, () => this.#gossip.hear(frame));
    } else if (type <= FRAME.reject) {
      const why = refusal("MISTIMED", `a handshake frame of type ${type} came on an open link`);
      link.close(CLOSE.refused, why);
    }
    // The other types up to 15 are for a later minor version to add, and for this one to skip.
  }

  #log(notice: MeshNotice): void {
    try {
      this.#settings.log?.(notice);
    } catch (error) {
      this.#report(error);
    }
  }

  /** An error in the owner's code is the owner's. Thrown where it arose, it would leave a socket half-handled. */
  #report(error: unknown): void {
    const { onError } = this.#settings;
    queueMicrotask(() => {
      if (onError === undefined) throw error;
      onError(error);
    });
  }
}

const now = () => performance.now();

/** @throws {ConfigurationError} on Bun: its `ws` gives no access to the TCP socket, where we count what strangers send */
function requireNode(): void {
  if (process.versions.bun !== undefined)
    throw new ConfigurationError("the mesh needs Node.js: Bun has another WebSocket than the package ws");
}
