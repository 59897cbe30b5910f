/** Which of several nodes is in charge of something: all that see the same nodes say the same, and little moves when one comes or goes. */
import { createHash } from "node:crypto";

/** The candidate whose hash together with the name is highest; undefined if there is none. Cost: O(candidates). */
export function inCharge(name: string, candidates: Iterable<string>): string | undefined {
  let best: { readonly candidate: string; readonly weight: string } | undefined;
  for (const candidate of candidates) {
    const weight = createHash("sha1").update(candidate).update("\0").update(name).digest("hex");
    if (best === undefined || weight > best.weight) best = { candidate, weight };
  }
  return best?.candidate;
}
