/** Redis-like keys as convergent state, replicated by a Presently cluster without a store. */
export {};
