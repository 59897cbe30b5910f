/** One thing said to many subscriptions: its frame is made once for each identifier, not once for each client. */
export class SharedFrame {
  readonly #make: (identifier: string) => string;
  readonly #frames = new Map<string, string>();

  constructor(make: (identifier: string) => string) {
    this.#make = make;
  }

  for(identifier: string): string {
    let frame = this.#frames.get(identifier);
    if (frame === undefined) {
      frame = this.#make(identifier);
      this.#frames.set(identifier, frame);
    }
    return frame;
  }
}
