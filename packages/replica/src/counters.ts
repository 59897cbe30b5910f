/** Monotone counts of what a replica did and saw, for metrics. */
export interface Counters {
  /** Deltas of local changes that were sent. */
  deltasMade: number;
  /** Pushes left out because the peer's link was congested. */
  pushesSkipped: number;
  /** Broadcasts not sent to a peer whose link was congested. */
  broadcastsSkipped: number;
  /** Messages passed on between two other nodes, once for each receiver. */
  messagesRelayed: number;
  /** Deltas that started above our vector. */
  gaps: number;
  pullsSent: number;
  pullsServed: number;
  pullTimeouts: number;
  syncFramesSent: number;
  /** Full states that were merged. */
  fullSyncs: number;
  /** Digests with equal vectors and unequal hashes. */
  divergences: number;
  /** Own entries that a full exchange dropped and that were added again. */
  readded: number;
  evictions: number;
  /** Times this process stood still for more than half a heartbeat. */
  stalls: number;
  nameConflicts: number;
  listenerErrors: number;
  /** Diffs that watchers were told, each once, however many they were. */
  diffsTold: number;
  /** Sessions that were opened here; less those that were closed, those that are open. */
  sessionsOpened: number;
  sessionsClosed: number;
}

export function newCounters(): Counters {
  return {
    deltasMade: 0,
    pushesSkipped: 0,
    broadcastsSkipped: 0,
    messagesRelayed: 0,
    gaps: 0,
    pullsSent: 0,
    pullsServed: 0,
    pullTimeouts: 0,
    syncFramesSent: 0,
    fullSyncs: 0,
    divergences: 0,
    readded: 0,
    evictions: 0,
    stalls: 0,
    nameConflicts: 0,
    listenerErrors: 0,
    diffsTold: 0,
    sessionsOpened: 0,
    sessionsClosed: 0,
  };
}
