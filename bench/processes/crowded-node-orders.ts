/** What a process that is a crowd (`crowded-node.ts`) may be asked for, and what it answers. */
export interface CrowdedNodeOrders {
  /** Starts a node; settles once it is ready. */
  start(given: { readonly name: string; readonly peers: readonly string[] }): { readonly url: string };
  /** Tracks the people from `first` to `end`, `perTurn` in one turn; answers when it began, on the clock that all share. */
  track(given: { readonly first: number; readonly end: number; readonly perTurn: number }): {
    readonly startedMs: number;
  };
  /** Settles once so many entries are there; answers when that was, looked at every few milliseconds. */
  holds(given: { readonly count: number }): { readonly atMs: number };
  /** Bytes of memory, after what is not needed has been freed. */
  memory(given: object): { readonly residentBytes: number; readonly heapBytes: number };
  /** Starts to look for stalls of the event loop; the longest since is answered by `stalls`. */
  watchStalls(given: object): object;
  stalls(given: object): { readonly longestMs: number };
}

export type CrowdedNodeOrder = {
  [Name in keyof CrowdedNodeOrders]: {
    readonly order: Name;
    readonly given: Parameters<CrowdedNodeOrders[Name]>[0];
  };
}[keyof CrowdedNodeOrders];
