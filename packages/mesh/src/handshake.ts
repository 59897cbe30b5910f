/**
 * The handshake of one connection, as a machine: frames in, frames out. No socket, clock or randomness.
 *
 *     dialler                            acceptor
 *       hello      who I am, nonce, key ids  ->
 *       <-   challenge  who I am, nonce, key id, sealed
 *       proof      the link I lost, sealed   ->
 *       <-   accept     sealed                             or, at any point, either way: reject, code and reason
 *
 * A seal covers all that was said before (secrets.ts), so each side has proved the secret, to a nonce of the other,
 * before anything follows from what it says; and no byte of the exchange can be changed unnoticed. The handshake
 * guards who may join, not what is said afterwards: where the network may listen or interfere, dial `wss:`.
 */
import { ProtocolError, type ReplicaId } from "@presently/replica";
import type { Role } from "./admission.ts";
import {
  decodeEnvelope,
  decodeIntroduction,
  decodeProof,
  decodeRejection,
  type Envelope,
  encodeBody,
  encodeEnvelope,
  FRAME,
  type Introduction,
} from "./frames.ts";
import { printable, type Refusal, refusal } from "./refusal.ts";
import { extendTranscript, type Keyring } from "./secrets.ts";

/** The most bytes that a peer may send before it is authenticated. */
export const HANDSHAKE_BYTES_MAX = 4096;

/** Who we are, in the words of the handshake. */
export interface Self {
  readonly major: number;
  readonly minor: number;
  readonly cluster: string;
  readonly replica: ReplicaId;
  readonly instance: string;
  readonly capabilities: readonly string[];
  readonly address: string;
  readonly keyring: Keyring;
}

/** Who the peer is. */
export interface PeerIdentity {
  readonly replica: ReplicaId;
  readonly instance: string;
  readonly minor: number;
  readonly capabilities: readonly string[];
  /** Where it says that it can be dialled. */
  readonly address: string | undefined;
}

/** Decides whether an authenticated peer gets a link: see admission.ts. */
export type Judge = (peer: PeerIdentity, lostLinkId: string | undefined) => Refusal | undefined;

/** What follows from a frame. `send`, if there is one, goes out first. */
export type HandshakeStep =
  | { readonly type: "continue"; readonly send: Uint8Array }
  | {
      readonly type: "linked";
      readonly send: Uint8Array | undefined;
      readonly peer: PeerIdentity;
      /** The same at both ends, and different for every link. */
      readonly linkId: string;
    }
  | {
      readonly type: "refused";
      readonly by: "us" | "peer";
      readonly refusal: Refusal;
      /** Goes to the peer if it is we who refuse. */
      readonly send: Uint8Array | undefined;
      readonly peer: PeerIdentity | undefined;
      /** Whether the peer (or its rejection) is authenticated; if not, nothing may follow but a log line. */
      readonly proven: boolean;
    };

/** One side of one handshake. Not to be fed any more after a step other than `continue`. */
export class Handshake {
  readonly #role: Role;
  readonly #self: Self;
  readonly #nonce: Uint8Array;
  readonly #judge: Judge;
  /** The last link we lost with this peer, looked up once it is known who it is. */
  readonly #lostLinkIdOf: (peer: ReplicaId) => string | undefined;
  #transcript: Uint8Array = new Uint8Array(32);
  #expected: number;
  /** The key id that both sides hold; undefined before it is agreed, and without secrets. */
  #key: string | undefined;
  #peer: PeerIdentity | undefined;
  #proven = false;
  #linkId = "";

  constructor(options: {
    role: Role;
    self: Self;
    /** 16 bytes, fresh and unpredictable. */
    nonce: Uint8Array;
    judge: Judge;
    lostLinkIdOf: (peer: ReplicaId) => string | undefined;
  }) {
    this.#role = options.role;
    this.#self = options.self;
    this.#nonce = options.nonce;
    this.#judge = options.judge;
    this.#lostLinkIdOf = options.lostLinkIdOf;
    this.#expected = options.role === "dialler" ? FRAME.challenge : FRAME.hello;
  }

  /** The dialler's first frame. */
  hello(): Uint8Array {
    return this.#say(FRAME.hello, encodeBody(this.#introduction(this.#self.keyring.ids)));
  }

  /** Takes a frame of the peer. Never throws, whatever the bytes are. */
  receive(frame: Uint8Array): HandshakeStep {
    try {
      return this.#advance(frame);
    } catch (error) {
      if (error instanceof ProtocolError) return this.refuse({ code: error.code, reason: error.message });
      throw error;
    }
  }

  /** Ends the handshake for a reason of ours. */
  refuse(why: Refusal): HandshakeStep {
    const body = encodeBody({ newest: undefined, holder: undefined, ...why });
    const send = this.#say(FRAME.reject, body);
    return { type: "refused", by: "us", refusal: why, send, peer: this.#peer, proven: this.#proven };
  }

  #advance(frame: Uint8Array): HandshakeStep {
    const [major, type] = frame;
    if (major === undefined || type === undefined) {
      return this.refuse(refusal("MALFORMED", "the frame is shorter than two bytes"));
    }
    if (type === FRAME.reject) return this.#rejected(frame);
    if (major !== this.#self.major) {
      const reason = `the peer speaks protocol version ${major}, this node speaks ${this.#self.major}`;
      return this.refuse(refusal("VERSION", reason));
    }
    if (type !== this.#expected) {
      return this.refuse(
        refusal("MISTIMED", `a frame of type ${type} came instead of type ${this.#expected}`),
      );
    }
    const envelope = decodeEnvelope(frame);
    if (type === FRAME.hello) return this.#greeted(frame, envelope);
    if (type === FRAME.challenge) return this.#challenged(frame, envelope);
    if (type === FRAME.proof) return this.#proved(frame, envelope);
    return this.#accepted(envelope);
  }

  /** The acceptor hears who dials it, and says who it is. */
  #greeted(frame: Uint8Array, envelope: Envelope): HandshakeStep {
    const hello = decodeIntroduction(envelope.body);
    const problem = this.#clusterProblem(hello) ?? this.#keyProblem(hello.keys);
    if (problem !== undefined) return this.refuse(problem);
    this.#peer = identityOf(hello);
    this.#key = this.#self.keyring.common(hello.keys);
    this.#hear(frame);
    const keys = this.#key === undefined ? [] : [this.#key];
    const send = this.#say(FRAME.challenge, encodeBody(this.#introduction(keys)));
    this.#nameLink();
    this.#expected = FRAME.proof;
    return { type: "continue", send };
  }

  /** The dialler hears whom it reached, which has thereby proved the secret, and proves it in turn. */
  #challenged(frame: Uint8Array, envelope: Envelope): HandshakeStep {
    const challenge = decodeIntroduction(envelope.body);
    const problem = this.#clusterProblem(challenge) ?? this.#keyProblem(challenge.keys);
    if (problem !== undefined) return this.refuse(problem);
    this.#peer = identityOf(challenge);
    this.#key = this.#self.keyring.common(challenge.keys);
    if (!this.#verified(envelope)) return this.refuse(BAD_PROOF);
    this.#proven = true;
    this.#hear(frame);
    this.#nameLink();
    const verdict = this.#judge(this.#peer, undefined);
    if (verdict !== undefined) return this.refuse(verdict);
    const lostLinkId = this.#lostLinkIdOf(this.#peer.replica);
    this.#expected = FRAME.accept;
    return { type: "continue", send: this.#say(FRAME.proof, encodeBody({ lostLinkId })) };
  }

  /** The acceptor has proof of who dials it, and decides. */
  #proved(frame: Uint8Array, envelope: Envelope): HandshakeStep {
    if (!this.#verified(envelope)) return this.refuse(BAD_PROOF);
    this.#proven = true;
    const { lostLinkId } = decodeProof(envelope.body);
    this.#hear(frame);
    const verdict = this.#judge(this.#peer!, lostLinkId);
    if (verdict !== undefined) return this.refuse(verdict);
    const send = this.#say(FRAME.accept, encodeBody({}));
    return { type: "linked", send, peer: this.#peer!, linkId: this.#linkId };
  }

  #accepted(envelope: Envelope): HandshakeStep {
    if (!this.#verified(envelope)) return this.refuse(BAD_PROOF);
    return { type: "linked", send: undefined, peer: this.#peer!, linkId: this.#linkId };
  }

  /** A reject frame is read in every state and of every version. What it says counts only if it is sealed. */
  #rejected(frame: Uint8Array): HandshakeStep {
    const envelope = decodeEnvelope(frame);
    const { code, reason, newest, holder } = decodeRejection(envelope.body);
    return {
      type: "refused",
      by: "peer",
      refusal: {
        code: printable(code),
        reason: printable(reason),
        newest,
        holder: holder === undefined ? undefined : printable(holder),
      },
      send: undefined,
      peer: this.#peer,
      proven: this.#peer !== undefined && this.#verified(envelope),
    };
  }

  #clusterProblem({ cluster }: Introduction): Refusal | undefined {
    if (cluster === this.#self.cluster) return undefined;
    const names = `${JSON.stringify(printable(cluster))}, this node to ${JSON.stringify(this.#self.cluster)}`;
    return refusal("CLUSTER", `the peer belongs to cluster ${names}`);
  }

  #keyProblem(keys: readonly string[]): Refusal | undefined {
    const ours = this.#self.keyring;
    if (ours.ids.length === 0 && keys.length === 0) return undefined;
    if (ours.ids.length === 0) return refusal("SECRET", "the peer has a secret and this node has none");
    if (keys.length === 0) return refusal("SECRET", "this node has a secret and the peer has none");
    if (ours.common(keys) !== undefined) return undefined;
    return refusal("SECRET", "the peer and this node have no secret in common");
  }

  #introduction(keys: readonly string[]): Introduction {
    const { minor, cluster, replica, instance, capabilities, address } = this.#self;
    return { minor, cluster, replica, instance, capabilities, address, keys, nonce: this.#nonce };
  }

  /** Both ends have heard the same two nonces by now, so the transcript names this connection, and the link on it. */
  #nameLink(): void {
    this.#linkId = Buffer.from(this.#transcript.subarray(0, 16)).toString("hex");
  }

  #say(type: number, body: Uint8Array): Uint8Array {
    const content = { role: this.#role, type, transcript: this.#transcript, body };
    const seal = this.#key === undefined ? undefined : this.#self.keyring.seal(this.#key, content);
    const frame = encodeEnvelope(this.#self.major, { type, body, seal });
    this.#hear(frame);
    return frame;
  }

  #hear(frame: Uint8Array): void {
    this.#transcript = extendTranscript(this.#transcript, frame);
  }

  #verified({ type, body, seal }: Envelope): boolean {
    if (this.#key === undefined) return this.#self.keyring.ids.length === 0;
    const role = this.#role === "dialler" ? "acceptor" : "dialler";
    return this.#self.keyring.verify(this.#key, { role, type, transcript: this.#transcript, body }, seal);
  }
}

const BAD_PROOF = refusal("BAD_PROOF", "the peer named a secret of ours and did not prove that it holds it");

function identityOf({ replica, instance, minor, capabilities, address }: Introduction): PeerIdentity {
  return { replica, instance, minor, capabilities, address };
}
