/**
 * Two nodes, both dialling each other, on connections that carry frames in order and may break at any time: one end
 * may learn of it long after the other, or never. Handshake and admission are the real ones; sockets and time are not.
 */
import type { ReplicaId } from "@presently/replica";
import fc from "fast-check";
import { expect, test } from "vitest";
import { identity } from "../test/identities.ts";
import { type Incumbent, judge, type Role } from "./admission.ts";
import { Handshake, type Self } from "./handshake.ts";

type Letter = Uint8Array | "closed";

/** One end of a connection. Letters wait here until they are delivered. */
interface End {
  readonly owner: Peer;
  readonly role: Role;
  readonly handshake: Handshake;
  readonly inbox: Letter[];
  other: End;
  over: boolean;
  broken: boolean;
}

class Peer {
  readonly self: Self;
  link: (Incumbent & { readonly end: End }) | undefined;
  proving: End | undefined;
  lostLinkId: string | undefined;
  linksSoFar = 0;
  readonly ends: End[] = [];

  constructor(name: string) {
    this.self = identity(name);
  }

  open(role: Role, nonceByte: number): End {
    const handshake = new Handshake({
      role,
      self: this.self,
      nonce: new Uint8Array(16).fill(nonceByte),
      lostLinkIdOf: (_peer: ReplicaId) => this.lostLinkId,
      judge: (peer, lostLinkId) => {
        const { replica, instance, address } = this.self;
        const proving = this.proving !== undefined;
        const standing = { replica, instance, address, role, incumbent: this.link, proving, full: false };
        const verdict = judge(standing, { ...peer, address: "elsewhere", lostLinkId });
        if (verdict === undefined && role === "dialler") this.proving = end;
        return verdict;
      },
    });
    const end = { owner: this, role, handshake, inbox: [], over: false, broken: false } as unknown as End;
    this.ends.push(end);
    return end;
  }

  /** Takes the next letter of an end, as the gate and the mesh do. */
  take(end: End): void {
    const letter = end.inbox.shift();
    if (letter === undefined || end.over) return;
    if (letter === "closed") {
      this.drop(end);
      return;
    }
    if (this.link?.end === end) return;
    const step = end.handshake.receive(letter);
    if (step.send !== undefined) post(end, step.send);
    if (step.type === "continue") return;
    if (this.proving === end) this.proving = undefined;
    if (step.type === "refused") {
      this.hangUp(end);
      return;
    }
    if (this.link !== undefined) this.hangUp(this.link.end);
    const { peer, linkId } = step;
    this.linksSoFar += 1;
    this.link = {
      end,
      linkId,
      role: end.role,
      replica: peer.replica,
      instance: peer.instance,
      address: "elsewhere",
    };
  }

  hangUp(end: End): void {
    post(end, "closed");
    this.drop(end);
  }

  drop(end: End): void {
    end.over = true;
    if (this.proving === end) this.proving = undefined;
    if (this.link?.end !== end) return;
    this.lostLinkId = this.link.linkId;
    this.link = undefined;
  }
}

function post(from: End, letter: Letter): void {
  if (!from.broken) from.other.inbox.push(letter);
}

class World {
  readonly peers = [new Peer("a"), new Peer("b")] as const;
  readonly ends: End[] = [];
  #nonce = 0;

  dial(index: number): void {
    const [dialling, dialled] = [this.peers[index]!, this.peers[1 - index]!];
    this.#nonce += 1;
    const near = dialling.open("dialler", this.#nonce);
    const far = dialled.open("acceptor", this.#nonce + 100);
    near.other = far;
    far.other = near;
    this.ends.push(near, far);
    post(near, near.handshake.hello());
  }

  /** Breaks a connection: what is on its way is lost, and each end learns of it when the world says so, if ever. */
  snap(end: End): void {
    for (const side of [end, end.other]) {
      side.broken = true;
      side.inbox.length = 0;
    }
  }

  deliverAll(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const end of this.ends) {
        if (end.inbox.length === 0) continue;
        busy = true;
        end.owner.take(end);
      }
    }
  }

  /** The handshake time-outs of both nodes run out: what is not a link by now is dropped. */
  timeOut(): void {
    for (const end of this.ends) if (!end.over && end.owner.link?.end !== end) end.owner.hangUp(end);
    this.deliverAll();
  }

  /** Each node that believes it has no link dials, as its dialer would: again and again. */
  settle(): void {
    this.deliverAll();
    for (let round = 0; round < 4; round += 1) {
      this.timeOut();
      for (const index of [0, 1]) if (this.peers[index]!.link === undefined) this.dial(index);
      this.deliverAll();
    }
  }

  linkIds(): (string | undefined)[] {
    return this.peers.map((peer) => peer.link?.linkId);
  }
}

type Action = readonly ["dial" | "deliver" | "snap" | "notice", number];

const actions = (kinds: Action[0][]) =>
  fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat(1000)), { minLength: 1, maxLength: 40, size: "max" });

/** Which ends an action can be about: a choice among others would mostly do nothing. */
const eligible: Record<Exclude<Action[0], "dial">, (end: End) => boolean> = {
  deliver: (end) => end.inbox.length > 0,
  snap: (end) => !end.broken,
  notice: (end) => end.broken,
};

function play(world: World, history: readonly Action[]): void {
  for (const [action, choice] of history) {
    if (action === "dial") {
      world.dial(choice % 2);
      continue;
    }
    const ends = world.ends.filter((end) => !end.over && eligible[action](end));
    const end = ends[choice % Math.max(1, ends.length)];
    if (end === undefined) continue;
    if (action === "deliver") end.owner.take(end);
    else if (action === "snap") world.snap(end);
    else end.owner.drop(end);
  }
}

test("however frames interleave, two nodes that dial each other keep one link, the same at both ends", () => {
  fc.assert(
    fc.property(actions(["dial", "deliver", "deliver", "deliver"]), (history) => {
      const world = new World();
      play(world, history);
      world.deliverAll();
      const [a, b] = world.linkIds();
      expect(a).toBe(b);
      // One dial is enough for a link: none of several may cost them all.
      if (history.some(([action]) => action === "dial")) expect(a).toBeDefined();
      // And the first one stays: the owner is not told that a peer went down when nothing broke.
      for (const peer of world.peers) expect(peer.linksSoFar).toBeLessThanOrEqual(1);
    }),
    { numRuns: 1500 },
  );
});

test("a node that lost its link gets a new one at once, though the other end never learns of the loss", () => {
  fc.assert(
    fc.property(actions(["dial", "deliver", "deliver", "deliver", "snap", "notice"]), (history) => {
      const world = new World();
      play(world, history);
      // Whichever end still believes in a broken link goes on to; the other one, if it noticed, dials.
      const believers = world.peers.filter((peer) => peer.link?.end.broken);
      fc.pre(believers.length < 2);
      world.settle();
      const [a, b] = world.linkIds();
      expect(a).toBe(b);
      expect(a).toBeDefined();
    }),
    { numRuns: 1500 },
  );
});
