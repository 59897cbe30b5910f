/** Presence for Colyseus servers of several processes, over a Presently cluster and without Redis. */
export {};
