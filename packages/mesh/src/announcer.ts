/**
 * Speaks to the owner of the mesh, one call at a time and in order.
 *
 * The owner may call the mesh from inside any call it gets, and what it does there may have news of its own (a frame
 * too many closes a slow link). Such news waits until the owner has returned.
 */
export class Announcer {
  readonly #waiting: (() => void)[] = [];
  readonly #onError: (error: unknown) => void;
  #speaking = false;
  #draining = false;
  #silent = false;

  /** @param onError takes whatever a call throws; must not throw itself */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Makes the call now, or after those that wait. For what comes from a socket, where no owner is on the stack. */
  now(call: () => void): void {
    if (this.#speaking || this.#waiting.length > 0) this.later(call);
    else this.#speak(call);
  }

  /** Makes the call once the current stack has unwound. For what a call of the owner may have caused. */
  later(call: () => void): void {
    if (this.#silent) return;
    this.#waiting.push(call);
    if (this.#draining) return;
    this.#draining = true;
    queueMicrotask(() => this.#drain());
  }

  /** Nothing is said any more. */
  silence(): void {
    this.#silent = true;
    this.#waiting.length = 0;
  }

  #drain(): void {
    for (let call = this.#waiting.shift(); call !== undefined; call = this.#waiting.shift())
      this.#speak(call);
    this.#draining = false;
  }

  #speak(call: () => void): void {
    if (this.#silent) return;
    this.#speaking = true;
    try {
      call();
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#speaking = false;
    }
  }
}
