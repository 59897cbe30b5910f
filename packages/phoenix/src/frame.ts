/** One WebSocket message on its way out. Immutable, so that all sockets of a topic share one. */

/** From this size on, what frames have in common is not copied for each of them. */
const SHARED_FROM_BYTES = 16_384;

export class Frame {
  /** The text of a text frame; undefined for a binary one. */
  readonly text: string | undefined;
  #bytes: Uint8Array | undefined;
  /** The whole frame in pieces, of which the last is another frame's memory. */
  #pieces: readonly Uint8Array[] | undefined;

  /** A string makes a text frame, bytes a binary one. */
  constructor(content: string | Uint8Array) {
    this.text = typeof content === "string" ? content : undefined;
    this.#bytes = typeof content === "string" ? undefined : content;
  }

  /** The content; of a text frame as UTF-8, which is made once. */
  get bytes(): Uint8Array {
    this.#bytes ??= Buffer.from(this.text ?? "", "utf8");
    return this.#bytes;
  }

  /** What to send, in this order: one piece, or two if a large part is shared with other frames. */
  get pieces(): readonly Uint8Array[] {
    return this.#pieces ?? [this.bytes];
  }

  /** Length of the content in bytes. */
  get size(): number {
    return this.pieces.reduce((size, piece) => size + piece.length, 0);
  }

  get isBinary(): boolean {
    return this.text === undefined;
  }

  /**
   * This text frame with another beginning.
   *
   * @param length how many ASCII characters of this one `head` replaces
   * Cost: a copy of a small frame; of a large one only `head`.
   */
  withHead(head: string, length: number): Frame {
    const frame = new Frame(head + this.text!.slice(length));
    if (this.bytes.length >= SHARED_FROM_BYTES)
      frame.#pieces = [Buffer.from(head, "utf8"), this.bytes.subarray(length)];
    return frame;
  }
}
