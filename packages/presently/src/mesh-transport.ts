/** The WebSocket mesh as the transport of a node. */
import { type LinkInfo, Mesh, ListenError as MeshListenError } from "@presently/mesh";
import { incarnationOf, nameOf, type ReplicaId } from "@presently/replica";
import { ListenError } from "./errors.ts";
import type { LinkReport } from "./http/served-node.ts";
import type { MeshConfig } from "./node-options.ts";
import type { NodeTransport, TlsFiles, TransportFactory } from "./transport.ts";

/** @throws what `Mesh` throws: options that cannot be used, alone or together */
export function meshTransport(options: MeshConfig, secrets: readonly string[]): TransportFactory {
  const { advertise, tls, peers, ...others } = options;
  return ({ cluster, replica, note, newerLifeSeen }, listener) => {
    let self = replica;
    const mesh = new Mesh(
      {
        ...others,
        peers,
        ...(advertise === undefined ? {} : { advertise }),
        ...(tls === undefined ? {} : { tls }),
        cluster,
        replica,
        secrets,
        random: Math.random,
        log: note,
        onStaleIncarnation: newerLifeSeen,
        onIdTaken: () => newerLifeSeen(incarnationOf(self)),
      },
      listener,
    );
    return new MeshTransport(mesh, peers, (renamed) => {
      self = renamed;
    });
  };
}

class MeshTransport implements NodeTransport {
  readonly #mesh: Mesh;
  readonly #peers: readonly string[];
  readonly #renamed: (replica: ReplicaId) => void;

  constructor(mesh: Mesh, peers: readonly string[], renamed: (replica: ReplicaId) => void) {
    this.#mesh = mesh;
    this.#peers = peers;
    this.#renamed = renamed;
  }

  async start(): Promise<void> {
    try {
      await this.#mesh.listen();
    } catch (error) {
      if (!(error instanceof MeshListenError)) throw error;
      throw new ListenError("mesh", error.host, error.port, error.cause);
    }
  }

  rename(replica: ReplicaId): void {
    this.#renamed(replica);
    this.#mesh.rename(replica);
  }

  renewTls(tls: TlsFiles): void {
    this.#mesh.renewTls(tls);
  }

  forget(node: string): void {
    this.#mesh.forget(node);
  }

  get url(): string {
    return this.#mesh.url;
  }

  /** Peers may be configured alike on all nodes; a node's own address among them is nobody to wait for. */
  get peersExpected(): number {
    const own = new URL(this.url).href;
    return this.#peers.filter((peer) => new URL(peer).href !== own).length;
  }

  get refused(): Readonly<Record<string, number>> {
    return this.#mesh.refused;
  }

  send(peer: ReplicaId, frame: Uint8Array): void {
    this.#mesh.send(peer, frame);
  }

  congested(peer: ReplicaId): boolean {
    return this.#mesh.congested(peer);
  }

  redial(peer: ReplicaId): void {
    this.#mesh.redial(peer);
  }

  refuse(peer: ReplicaId, code: string, reason: string): void {
    this.#mesh.refuse(peer, code, reason);
  }

  links(): readonly LinkReport[] {
    return this.#mesh.links().map(linkReport);
  }

  close(options: { readonly drainMs: number }): Promise<void> {
    return this.#mesh.close(options);
  }
}

/** The mesh's view of a link, in the words of the node. */
function linkReport({ peer, address, direction, sinceMs, bufferedBytes, ...link }: LinkInfo): LinkReport {
  return {
    replica: peer,
    node: nameOf(peer),
    direction: direction === "dialled" ? "out" : "in",
    address,
    openForMs: Math.round(sinceMs),
    bufferedBytes,
    bytesSent: link.bytesSent,
    bytesReceived: link.bytesReceived,
    framesSent: link.framesSent,
    framesReceived: link.framesReceived,
  };
}
