import { checkFunction } from "@presently/replica";

/** Where one drop-in is attached, to be detached from each by itself, or from all. */
export class Attachments {
  readonly #ends = new Set<() => void>();

  /** Takes what `attach` gave; gives what detaches there, and does nothing when it is called again. */
  add(detach: () => void): () => void {
    checkFunction("detach", detach);
    const end = () => {
      if (this.#ends.delete(end)) detach();
    };
    this.#ends.add(end);
    return end;
  }

  /** Detaches everywhere. Idempotent. */
  end(): void {
    for (const end of [...this.#ends]) end();
  }
}
