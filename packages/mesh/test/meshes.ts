/** Meshes on loopback that write down what they are told, and notice when the transport breaks its word. */
import { type ReplicaId, replicaId, type TransportListener } from "@presently/replica";
import { Mesh, type MeshNotice, type MeshOptions } from "../src/index.ts";

/** Writes down the calls it gets, and which of them break the contract of `TransportListener`. */
export class RecordingListener implements TransportListener {
  readonly events: string[] = [];
  readonly up = new Set<ReplicaId>();
  readonly frames: { readonly peer: ReplicaId; readonly frame: Uint8Array }[] = [];
  readonly broken: string[] = [];
  /** Runs inside each call, as an owner's own code would. */
  onCall: (call: string, peer: ReplicaId) => void = () => {};
  #inside = false;

  peerUp(peer: ReplicaId): void {
    this.#call("peerUp", peer, () => {
      if (this.up.has(peer)) this.broken.push(`${peer} went up twice`);
      this.up.add(peer);
    });
  }

  peerDown(peer: ReplicaId, reason: string): void {
    this.#call(`peerDown`, peer, () => {
      if (!this.up.delete(peer)) this.broken.push(`${peer} went down without being up: ${reason}`);
    });
  }

  unreachable(peer: ReplicaId, _reason: string): void {
    this.#call("unreachable", peer, () => {
      if (this.up.has(peer)) this.broken.push(`${peer} is unreachable while it is up`);
    });
  }

  frame(peer: ReplicaId, frame: Uint8Array): void {
    this.#call("frame", peer, () => {
      if (!this.up.has(peer)) this.broken.push(`a frame of ${peer}, which is not up`);
      this.frames.push({ peer, frame });
    });
  }

  drained(peer: ReplicaId): void {
    this.#call("drained", peer, () => {
      if (!this.up.has(peer)) this.broken.push(`${peer} drained while it is not up`);
    });
  }

  #call(call: string, peer: ReplicaId, note: () => void): void {
    if (this.#inside) this.broken.push(`${call}(${peer}) overlaps another call`);
    this.#inside = true;
    this.events.push(`${call} ${peer}`);
    note();
    try {
      this.onCall(call, peer);
    } finally {
      this.#inside = false;
    }
  }
}

/** A mesh and what it said. */
export interface TestMesh {
  readonly mesh: Mesh;
  readonly listener: RecordingListener;
  readonly notices: MeshNotice[];
  readonly id: ReplicaId;
}

/** The meshes of one test. */
export class TestMeshes {
  readonly all: TestMesh[] = [];

  /** A mesh that is not listening yet. Timeouts are short, so that tests of what times out are, too. */
  make(name: string, options: Partial<MeshOptions> = {}): TestMesh {
    const listener = new RecordingListener();
    const notices: MeshNotice[] = [];
    const id = options.replica ?? replicaId(name, 1);
    const mesh = new Mesh(
      {
        cluster: "shop",
        replica: id,
        secrets: ["sesame"],
        dialMinMs: 10,
        dialMaxMs: 80,
        handshakeTimeoutMs: 1000,
        log: (notice) => notices.push(notice),
        ...options,
      },
      listener,
    );
    const made = { mesh, listener, notices, id };
    this.all.push(made);
    return made;
  }

  /** A mesh that listens. */
  async start(name: string, options: Partial<MeshOptions> = {}): Promise<TestMesh> {
    const made = this.make(name, options);
    await made.mesh.listen();
    return made;
  }

  /** Closes all, and says which listeners were told what they must not be. */
  async close(): Promise<string[]> {
    await Promise.all(this.all.map(({ mesh }) => mesh.close({ drainMs: 200 })));
    return this.all.splice(0).flatMap(({ listener, id }) => listener.broken.map((what) => `${id}: ${what}`));
  }
}

/** The peers a mesh has links with, sorted. */
export function peersOf({ mesh }: TestMesh): ReplicaId[] {
  return mesh
    .links()
    .map((link) => link.peer)
    .sort();
}

/** A frame of the replica's own types that carries a number, and as many bytes as asked for. */
export function numbered(number: number, bytes = 8): Uint8Array {
  const frame = new Uint8Array(Math.max(bytes, 6));
  frame.set([1, 16]);
  new DataView(frame.buffer).setUint32(2, number);
  return frame;
}

/** The number in such a frame. */
export function numberIn(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset).getUint32(2);
}
