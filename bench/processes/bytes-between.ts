/** How much went over the wire between several processes, from what each of them says of its connections. */

/** One connection, as one of its ends sees it. */
export interface Connection {
  readonly localPort: number;
  readonly remotePort: number;
  /** Both ways, since it was opened. */
  readonly bytes: number;
}

/**
 * Adds up what went over the connections between processes: each once, though both of its ends may have been asked, and
 * none that begins and ends in the same process.
 *
 * @param processes what `connections` gave, by process
 */
export function bytesBetween(processes: readonly (readonly Connection[])[]): number {
  const ends = new Map<string, { bytes: number; readonly processes: number[] }>();
  for (const [process, list] of processes.entries())
    for (const { localPort, remotePort, bytes } of list) {
      const name = [localPort, remotePort].sort((one, other) => one - other).join("–");
      const known = ends.get(name);
      if (known === undefined) ends.set(name, { bytes, processes: [process] });
      else {
        known.processes.push(process);
        // The two ends are asked one after the other: the greater has seen more of what is under way.
        known.bytes = Math.max(known.bytes, bytes);
      }
    }
  let sum = 0;
  for (const {
    bytes,
    processes: [one, other],
  } of ends.values())
    if (one !== other) sum += bytes;
  return sum;
}
