/** Where every socket comes in, by dialling or being dialled, and either becomes a link or is turned away. */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { ReplicaId } from "@presently/replica";
import { WebSocket } from "ws";
import { type Incumbent, judge, type Role } from "./admission.ts";
import { Connection, type ConnectionEnd } from "./connection.ts";
import { HANDSHAKE_BOUNDS } from "./frames.ts";
import { Handshake, type PeerIdentity, type Self } from "./handshake.ts";
import { Patience } from "./patience.ts";
import type { Refusal } from "./refusal.ts";
import { remoteOf } from "./server.ts";
import { dialOptions, type TlsOptions } from "./tls.ts";

export interface GateOptions {
  readonly frameBytesMax: number;
  readonly handshakeTimeoutMs: number;
  readonly pendingHandshakesMax: number;
  readonly tls?: TlsOptions | undefined;
  readonly now: () => number;
  readonly self: () => Self;
  /** The link with the node of this peer, and whether there may be one link more. */
  readonly incumbent: (peer: ReplicaId) => Incumbent | undefined;
  readonly full: () => boolean;
  /** The last link that we had, and lost, with this peer. */
  readonly lostLinkId: (peer: ReplicaId) => string | undefined;
  /** An attempt for `address` led to this peer, which has proved itself. */
  readonly onAnswered: (address: string, peer: ReplicaId) => void;
  /** `remote` is the address dialled, or the host and port that the other end came from. */
  readonly onEnd: (role: Role, remote: string, end: ConnectionEnd) => void;
}

export class Gate {
  readonly #options: GateOptions;
  /** Handshakes under way. */
  readonly #connections = new Set<Connection>();
  /** The connections on which our proof is on its way. */
  readonly #proving = new Map<ReplicaId, Connection>();
  /** Sockets of others that are not links: until they are closed they hold a place. */
  readonly #strangers = new Set<WebSocket>();
  /** All that are not closed, links included. */
  readonly #sockets = new Set<WebSocket>();

  /** What connections from now on are dialled with. */
  #tls: TlsOptions | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#tls = options.tls;
  }

  renewTls(tls: TlsOptions): void {
    this.#tls = tls;
  }

  /** Whether one more stranger may begin a handshake. */
  admits(): boolean {
    return this.#strangers.size < this.#options.pendingHandshakesMax;
  }

  /**
   * Dials `address` and shakes hands with whoever answers, which has `patienceMs` for each step. `name` is the host that
   * was looked up for it, if one was.
   */
  dial(address: string, name: string | undefined, patienceMs: number): void {
    const { frameBytesMax } = this.#options;
    const socket = new WebSocket(address, {
      ...dialOptions(address, this.#tls, name),
      perMessageDeflate: false,
      maxPayload: frameBytesMax,
      finishRequest: (request) => {
        // A connection and a TLS handshake take round trips of their own.
        request.once("socket", (stream: Socket) => {
          stream.once("connect", () => connection.nextStep());
          stream.once("secureConnect", () => connection.nextStep());
        });
        request.end();
      },
    });
    const connection = this.#shakeHands(socket, undefined, "dialler", address, patienceMs);
  }

  /** Shakes hands with who dialled us. */
  greet(socket: WebSocket, stream: Socket): void {
    this.#strangers.add(socket);
    socket.once("close", () => this.#strangers.delete(socket));
    const { longestMs } = new Patience(this.#options.handshakeTimeoutMs);
    this.#shakeHands(
      socket,
      stream,
      "acceptor",
      remoteOf(stream.remoteAddress, stream.remotePort),
      longestMs,
    );
  }

  /** Gives all handshakes up. */
  abort(why: Refusal): void {
    for (const connection of [...this.#connections]) connection.abort(why);
  }

  /** Resolves once every socket is closed; those that take longer than `withinMs` are cut. */
  async closed(withinMs: number): Promise<void> {
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.terminate();
    }, withinMs);
    const closes = [...this.#sockets].map(
      (socket) => new Promise((resolve) => socket.once("close", resolve)),
    );
    await Promise.all(closes);
    clearTimeout(cut);
  }

  #shakeHands(
    socket: WebSocket,
    stream: Socket | undefined,
    role: Role,
    remote: string,
    patienceMs: number,
  ): Connection {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const handshake = new Handshake({
      role,
      self: this.#options.self(),
      nonce: randomBytes(HANDSHAKE_BOUNDS.nonceBytes),
      judge: (peer, lostLinkId) => this.#judge(connection, role, remote, peer, lostLinkId),
      lostLinkIdOf: this.#options.lostLinkId,
    });
    const connection: Connection = new Connection({
      role,
      socket,
      stream,
      handshake,
      patienceMs,
      now: this.#options.now,
      onEnd: (end) => {
        this.#connections.delete(connection);
        for (const [peer, proving] of this.#proving) if (proving === connection) this.#proving.delete(peer);
        if (end.type === "linked") this.#strangers.delete(socket);
        this.#options.onEnd(role, remote, end);
      },
    });
    this.#connections.add(connection);
    return connection;
  }

  #judge(
    connection: Connection,
    role: Role,
    remote: string,
    peer: PeerIdentity,
    lostLinkId: string | undefined,
  ): Refusal | undefined {
    const { self, incumbent, full, onAnswered } = this.#options;
    const { replica, instance, address } = self();
    const standing = {
      replica,
      instance,
      address,
      role,
      incumbent: incumbent(peer.replica),
      proving: this.#proving.has(peer.replica),
      full: full(),
    };
    const candidate = {
      replica: peer.replica,
      instance: peer.instance,
      address: peer.address ?? remote,
      lostLinkId,
    };
    const verdict = judge(standing, candidate);
    if (role === "dialler") {
      if (verdict?.code !== "SELF") onAnswered(remote, peer.replica);
      if (verdict === undefined) this.#proving.set(peer.replica, connection);
    }
    return verdict;
  }
}
