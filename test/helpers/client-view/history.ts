/** Random histories: what clients do, in ticks. The same seed makes the same history, whatever the protocol. */

/** Something that one client does, or that happens to it or to a link. */
export type Step =
  | {
      readonly do: "join";
      readonly client: number;
      readonly topic: string;
      readonly key: string;
      readonly meta: number;
    }
  | {
      readonly do: "leave" | "rejoin";
      readonly client: number;
      readonly topic: string;
      readonly meta: number;
    }
  | { readonly do: "update"; readonly client: number; readonly topic: string; readonly meta: number }
  | { readonly do: "cut" | "resume"; readonly client: number }
  | LinkStep;

/** A link is held up, or moves on. */
export interface LinkStep {
  readonly do: "stall" | "flow";
  readonly link: number;
}

/** Steps that are taken at once, and a pause in real time after them. */
export interface Tick {
  readonly steps: readonly Step[];
  readonly pauseMs: number;
}

export interface HistoryOptions {
  readonly clients: number;
  readonly links: number;
  readonly topics: readonly string[];
  readonly ticks: number;
  /** Whether connections are cut. Default true. */
  readonly cuts?: boolean;
}

/** Draws whole numbers below a bound. */
export type Draw = (below: number) => number;

/** The same numbers for the same seed (mulberry32). */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** A history that ends with everybody connected and every link open. */
export function historyOf(seed: number, options: HistoryOptions): Tick[] {
  const { clients, links, topics, ticks, cuts = true } = options;
  const draw = drawFrom(seed);
  /** Topics of each client, with the key that it has there. */
  const joined = Array.from({ length: clients }, () => new Map<string, string>());
  const cut = new Set<number>();
  const stalled = new Set<number>();
  let meta = 0;

  const join = (client: number, topic: string): Step => {
    // Half of the keys are shared: one person, several clients, on several nodes.
    const key = draw(2) === 0 ? `c${client}` : `p${draw(3)}`;
    joined[client]!.set(topic, key);
    return { do: "join", client, topic, key, meta: ++meta };
  };
  const leave = (client: number, topic: string): Step => {
    joined[client]!.delete(topic);
    return { do: "leave", client, topic, meta: 0 };
  };
  const connected = () => [...joined.keys()].filter((client) => !cut.has(client));

  const draft = (): Step[] => {
    const kind = draw(20);
    const topic = topics[draw(topics.length)]!;
    // All who are not there enter in one tick: confirmations and events cross.
    if (kind < 4)
      return connected()
        .filter((client) => !joined[client]!.has(topic))
        .map((client) => join(client, topic));
    if (kind < 6)
      return connected()
        .filter((client) => joined[client]!.has(topic) && draw(2) === 0)
        .map((client) => leave(client, topic));
    if (kind < 8 && links > 0) {
      const link = draw(links);
      if (stalled.delete(link)) return [{ do: "flow", link }];
      stalled.add(link);
      return [{ do: "stall", link }];
    }
    const client = draw(clients);
    if (cut.has(client)) {
      if (kind < 14) return [];
      cut.delete(client);
      return [{ do: "resume", client }];
    }
    if (kind === 8 && cuts) {
      cut.add(client);
      return [{ do: "cut", client }];
    }
    if (!joined[client]!.has(topic)) return [join(client, topic)];
    if (kind < 14) return [{ do: "rejoin", client, topic, meta: ++meta }];
    if (kind < 16) return [{ do: "update", client, topic, meta: ++meta }];
    return [leave(client, topic)];
  };

  const history: Tick[] = [];
  for (let tick = 0; tick < ticks; tick++)
    history.push({ steps: draft(), pauseMs: draw(3) === 0 ? draw(40) : 0 });
  const end: Step[] = [
    ...[...stalled].map((link): Step => ({ do: "flow", link })),
    ...[...cut].map((client): Step => ({ do: "resume", client })),
  ];
  return [...history, { steps: end, pauseMs: 0 }];
}
