/** Presence and user counts for SocketCluster servers, over a Presently cluster and without a database. */
export {};
