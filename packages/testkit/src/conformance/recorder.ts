/** Writes down what a transport tells, and where it breaks its word by telling it. */
import type { ReplicaId, TransportListener } from "@presently/replica";

/** A frame that can be told from all others: who sent it, over its which link with that peer, and as which. */
export interface Label {
  readonly link: number;
  readonly number: number;
}

const [VERSION, TYPE] = [1, 255];
const HEADER_BYTES = 10;

export function labelled({ link, number }: Label, size = HEADER_BYTES): Uint8Array {
  const frame = new Uint8Array(Math.max(size, HEADER_BYTES)).fill(number % 251);
  const view = new DataView(frame.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, TYPE);
  view.setUint32(2, link);
  view.setUint32(6, number);
  return frame;
}

export class Recorder implements TransportListener {
  readonly up = new Set<ReplicaId>();
  /** How many links there have been with each. */
  readonly links = new Map<ReplicaId, number>();
  readonly unreached = new Set<ReplicaId>();
  readonly drains = new Set<ReplicaId>();
  /** What was broken; empty in a transport that keeps its word. */
  readonly broken: string[] = [];
  /** The transport is being called, or was closed: nothing may be told. */
  silence: string | undefined = undefined;
  private readonly frames = new Map<ReplicaId, Label[]>();
  private last: { readonly peer: ReplicaId; readonly frame: Uint8Array } | undefined = undefined;
  private inside = false;

  /** What has come from a peer so far. */
  heard(peer: ReplicaId): readonly Label[] {
    return this.frames.get(peer) ?? [];
  }

  numbers(peer: ReplicaId): number[] {
    return this.heard(peer).map(({ number }) => number);
  }

  peerUp(peer: ReplicaId): void {
    this.call("peerUp", peer, () => {
      if (this.up.has(peer)) this.broken.push(`${peer} is up twice`);
      this.up.add(peer);
      this.links.set(peer, (this.links.get(peer) ?? 0) + 1);
    });
  }

  peerDown(peer: ReplicaId): void {
    this.call("peerDown", peer, () => {
      if (!this.up.delete(peer)) this.broken.push(`${peer} is down without being up`);
    });
  }

  unreachable(peer: ReplicaId): void {
    this.call("unreachable", peer, () => this.unreached.add(peer));
  }

  drained(peer: ReplicaId): void {
    this.call("drained", peer, () => {
      if (!this.up.has(peer)) this.broken.push(`${peer} has drained, and is not up`);
      this.drains.add(peer);
    });
  }

  frame(peer: ReplicaId, frame: Uint8Array): void {
    this.call("frame", peer, () => {
      if (!this.up.has(peer)) this.broken.push(`a frame of ${peer}, which is not up`);
      this.read(peer, frame);
    });
  }

  private read(peer: ReplicaId, frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    if (frame.length < HEADER_BYTES || frame[0] !== VERSION || frame[1] !== TYPE) {
      this.broken.push(`a frame of ${peer} has changed on the way`);
      return;
    }
    const label = { link: view.getUint32(2), number: view.getUint32(6) };
    if (frame.subarray(HEADER_BYTES).some((byte) => byte !== label.number % 251))
      this.broken.push(`frame ${label.number} of ${peer} has changed on the way`);
    const heard = this.frames.get(peer) ?? [];
    this.frames.set(peer, heard);
    const before = heard.at(-1);
    if (before !== undefined && !isLater(label, before))
      this.broken.push(`frame ${label.number} of ${peer} came twice, or too late`);
    heard.push(label);
    this.last = { peer, frame };
    // The bytes are the listener's: to write on them harms nobody else.
    frame.fill(0);
  }

  private call(what: string, peer: ReplicaId, note: () => void): void {
    if (this.silence !== undefined) this.broken.push(`${what}(${peer}) was told ${this.silence}`);
    if (this.inside) this.broken.push(`${what}(${peer}) was told inside another call`);
    if (this.last?.frame.some((byte) => byte !== 0))
      this.broken.push(`a frame of ${this.last.peer} was changed after it had been handed over`);
    this.inside = true;
    note();
    this.inside = false;
  }
}

function isLater(one: Label, other: Label): boolean {
  return one.link > other.link || (one.link === other.link && one.number > other.number);
}
