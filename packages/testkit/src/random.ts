/** Independent streams of random numbers from one seed, so that what one part draws does not move what another gets. */
import { seededRandom } from "@presently/replica";

/** Numbers in [0, 1), the same for the same words on every machine. */
export type Random = () => number;

/** The stream of a seed that has these words for a name. */
export function streamOf(seed: string | number, ...words: readonly (string | number)[]): Random {
  return seededRandom([seed, ...words].join("/"));
}

/** An integer from `min` to `max`, both included. */
export function integerFrom(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}
