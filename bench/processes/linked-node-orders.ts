/** What a process that is a linked node (`linked-node.ts`) may be asked for, and what it answers. */
export interface LinkedNodeOrders {
  /** Starts a node, over NATS if a server is named, else over the mesh; settles once it is ready. */
  start(given: { readonly name: string; readonly peers: readonly string[]; readonly server?: string }): {
    readonly url: string;
  };
  /** Settles once it has so many links. */
  linked(given: { readonly count: number }): object;
  /** Makes changes for so long; what its process took meanwhile. */
  measure(given: { readonly forMs: number; readonly changesPerSecond: number }): Taken;
}

export interface Taken {
  /** In and out, of all its connections. */
  readonly bytesPerSecond: number;
  /** Of a processor: 1,000 is all of one core. */
  readonly cpuMsPerSecond: number;
}

export type LinkedNodeOrder = {
  [Name in keyof LinkedNodeOrders]: {
    readonly order: Name;
    readonly given: Parameters<LinkedNodeOrders[Name]>[0];
  };
}[keyof LinkedNodeOrders];
