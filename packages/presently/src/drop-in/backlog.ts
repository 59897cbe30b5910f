/**
 * Whether too much waits for a client to read it.
 *
 * The largest message that waits is not counted: the state of a large room may be larger than what a client may leave
 * unread, and a client that could never take it would connect again for ever.
 */
export class Backlog {
  #largestBytes = 0;

  /** Asked before each message, with the bytes that wait already. */
  exceeds(bytesMax: number, waitingBytes: number, messageBytes: number): boolean {
    if (waitingBytes === 0) this.#largestBytes = 0;
    if (waitingBytes > bytesMax + this.#largestBytes) return true;
    this.#largestBytes = Math.max(this.#largestBytes, messageBytes);
    return false;
  }
}
