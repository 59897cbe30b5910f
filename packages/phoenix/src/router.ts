/** Which topics a channel serves: one by its name, or all that begin with what stands before a final `*`. */
import { InvalidArgumentError } from "presently";

interface Route<T> {
  readonly text: string;
  readonly isPrefix: boolean;
  readonly target: T;
}

export class Router<T> {
  readonly #routes: Route<T>[] = [];

  /** @throws {InvalidArgumentError} for a pattern with a `*` that is not its last character */
  add(pattern: string, target: T): void {
    if (pattern === "") throw new InvalidArgumentError("pattern", "must not be empty");
    const star = pattern.indexOf("*");
    if (star >= 0 && star < pattern.length - 1)
      throw new InvalidArgumentError("pattern", `may have a * at its end only: ${JSON.stringify(pattern)}`);
    this.#routes.push({ text: star < 0 ? pattern : pattern.slice(0, -1), isPrefix: star >= 0, target });
  }

  /** The target of the first pattern, in the order of adding, that the topic matches. */
  find(topic: string): T | undefined {
    return this.#routeOf(topic)?.target;
  }

  /** Whether that pattern is the topic itself. */
  isNamed(topic: string): boolean {
    return this.#routeOf(topic)?.isPrefix === false;
  }

  #routeOf(topic: string): Route<T> | undefined {
    return this.#routes.find(({ text, isPrefix }) => (isPrefix ? topic.startsWith(text) : topic === text));
  }
}
