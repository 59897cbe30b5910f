/** One WebSocket message on its way out. Immutable, so that all sockets of a topic share one. */
export class Frame {
  /** The text of a text frame; undefined for a binary one. */
  readonly text: string | undefined;
  #bytes: Uint8Array | undefined;

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

  get isBinary(): boolean {
    return this.text === undefined;
  }
}
