/** Reserved for nodes among themselves: an answer comes behind everything that the node did before. See `Barrier` of `presently/drop-in`. */
export const BARRIER_CHANNEL = "presently/barrier";
