/**
 * How do two nodes show each other that they hold the same secret, without sending it?
 *
 * Each frame after the first is sealed: it carries an HMAC-SHA256, under the secret, of all that was said before on
 * this connection, of who says it, and of the frame itself. What was said includes a fresh random nonce of either
 * side, so that a seal is worth nothing on another connection; the role is included, so that it is worth nothing when
 * sent back to its maker.
 *
 * So that a secret can be changed while the cluster runs, a node may hold several. Each is named by a key id, a short
 * hash that tells the holders of the same secret, and nobody else, that they share it.
 *
 * A key id and a seal let whoever sees them test guesses offline, as in every challenge and response without
 * public keys: a secret must be random and long (32 bytes from a generator), not a word.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const KEY_ID_LABEL = "presently mesh key id";
const SEAL_LABEL = "presently mesh seal";
const KEY_ID_BYTES = 8;

/** Bytes in a seal. */
export const SEAL_BYTES = 32;

/** What a seal covers. Every part but the last has a fixed length, so that no two contents read alike. */
export interface SealContent {
  /** Who seals. */
  readonly role: "dialler" | "acceptor";
  /** The frame's type byte. */
  readonly type: number;
  /** The hash of everything said on this connection before this frame. */
  readonly transcript: Uint8Array;
  readonly body: Uint8Array;
}

/** The secrets of a node, in its order of preference. May be empty: then nothing is proved, and nothing is sealed. */
export class Keyring {
  readonly #secrets: ReadonlyMap<string, string>;
  /** The key ids, in order of preference. */
  readonly ids: readonly string[];

  constructor(secrets: readonly string[]) {
    this.#secrets = new Map(secrets.map((secret) => [keyId(secret), secret]));
    this.ids = [...this.#secrets.keys()];
  }

  /** The id of the first of our secrets that a peer with these key ids holds too. */
  common(peerIds: readonly string[]): string | undefined {
    return this.ids.find((id) => peerIds.includes(id));
  }

  /** Whether we hold the secret of this id. */
  holds(id: string): boolean {
    return this.#secrets.has(id);
  }

  /** The seal on `content` under the secret named `id`, which must be ours. */
  seal(id: string, content: SealContent): Uint8Array {
    const secret = this.#secrets.get(id);
    if (secret === undefined) throw new Error(`no secret with key id ${id}`);
    return createHmac("sha256", secret)
      .update(SEAL_LABEL)
      .update(Uint8Array.of(content.role === "dialler" ? 0 : 1, content.type))
      .update(content.transcript)
      .update(content.body)
      .digest();
  }

  /** Whether `seal` is the one that a holder of the secret named `id` puts on `content`. Takes the same time either way. */
  verify(id: string, content: SealContent, seal: Uint8Array | undefined): boolean {
    return seal?.length === SEAL_BYTES && timingSafeEqual(seal, this.seal(id, content));
  }
}

/** The transcript after one more frame; the first one starts from 32 zero bytes. */
export function extendTranscript(transcript: Uint8Array, frame: Uint8Array): Uint8Array {
  return createHash("sha256").update(transcript).update(frame).digest();
}

function keyId(secret: string): string {
  return createHmac("sha256", secret).update(KEY_ID_LABEL).digest().subarray(0, KEY_ID_BYTES).toString("hex");
}
