/** Listeners by event. */

import { require } from "./arguments.ts";

/** Ends a subscription; calling it again does nothing. */
export type Unsubscribe = () => void;

type Listener = (...words: readonly unknown[]) => void;

export class Emitter<Events extends { [Name in keyof Events]: readonly unknown[] }> {
  readonly #listeners = new Map<keyof Events, Set<Listener>>();

  on<Name extends keyof Events>(name: Name, listener: (...words: Events[Name]) => void): Unsubscribe {
    require(typeof listener === "function", "listener", "a function");
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // The same function may listen twice, and each subscription ends by itself.
    const own: Listener = (...words) => listener(...(words as unknown as Events[Name]));
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /** Calls all that listen now. One that throws keeps no other from hearing; its error is thrown where nobody is in the way. */
  emit<Name extends keyof Events>(name: Name, ...words: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(...words);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
