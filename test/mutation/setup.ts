/** Properties under mutation: the same histories for every mutant, and no time for shrinking. */
import fc from "fast-check";

fc.configureGlobal({ seed: 1, endOnFailure: true });
