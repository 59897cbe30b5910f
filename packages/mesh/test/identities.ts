/** Identities for handshakes that run without sockets. */
import { type ReplicaId, replicaId } from "@presently/replica";
import { Handshake, type HandshakeStep, type Judge, type Self } from "../src/handshake.ts";
import { Keyring } from "../src/secrets.ts";

/** A node called `name`, with these secrets and whatever else differs. */
export function identity(name: string, secrets: string[] = ["sesame"], differing: Partial<Self> = {}): Self {
  return {
    major: 1,
    minor: 0,
    cluster: "shop",
    replica: replicaId(name, 1),
    instance: `instance of ${name}`,
    capabilities: [],
    address: `ws://${name}.test:7000`,
    keyring: new Keyring(secrets),
    ...differing,
  };
}

/** One side of a handshake; admits everybody unless told otherwise. */
export function side(
  role: "dialler" | "acceptor",
  self: Self,
  options: { judge?: Judge; lostLinkId?: string; nonceByte?: number } = {},
): Handshake {
  return new Handshake({
    role,
    self,
    nonce: new Uint8Array(16).fill(options.nonceByte ?? (role === "dialler" ? 1 : 2)),
    judge: options.judge ?? (() => undefined),
    lostLinkIdOf: (_peer: ReplicaId) => options.lostLinkId,
  });
}

/** How each side saw the handshake end; undefined if it is still waiting. */
export interface Outcome {
  readonly dialler: HandshakeStep | undefined;
  readonly acceptor: HandshakeStep | undefined;
  /** Every frame that was sent, in order, as its receiver got it. */
  readonly frames: Uint8Array[];
}

/** Carries frames between the two sides until neither has anything to say. `meddle` may change what passes. */
export function run(
  dialler: Handshake,
  acceptor: Handshake,
  meddle: (frame: Uint8Array, index: number) => Uint8Array = (frame) => frame,
): Outcome {
  const ends: { dialler?: HandshakeStep; acceptor?: HandshakeStep } = {};
  const frames: Uint8Array[] = [];
  let frame: Uint8Array | undefined = dialler.hello();
  let receiver: "dialler" | "acceptor" = "acceptor";
  while (frame !== undefined && ends[receiver] === undefined) {
    const received: Uint8Array = meddle(frame, frames.length);
    frames.push(received);
    const step: HandshakeStep = (receiver === "dialler" ? dialler : acceptor).receive(received);
    if (step.type !== "continue") ends[receiver] = step;
    frame = step.send;
    receiver = receiver === "dialler" ? "acceptor" : "dialler";
  }
  return { dialler: ends.dialler, acceptor: ends.acceptor, frames };
}
