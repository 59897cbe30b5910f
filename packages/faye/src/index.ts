/** Presence for Faye servers, over a Presently cluster and without Redis. */
export {};
