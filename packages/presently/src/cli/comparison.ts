/**
 * In what do two nodes differ? Both are asked while they run, so a change that is on its way between them shows as a
 * difference that is none. Hence each difference can be looked at again later: one that stays is real.
 */
import { isDeepStrictEqual } from "node:util";
import type { ClusterJson, ReplicaJson } from "../http/cluster-api.ts";
import type { TopicJson } from "../http/presence-json.ts";
import { printable } from "./terminal.ts";

/** What one node said when it was asked. */
export interface NodeView {
  readonly cluster: ClusterJson;
  /** The topics that were asked for, by name; one on which nobody is present may be missing. */
  readonly topics: ReadonlyMap<string, TopicJson>;
}

/** What both said, asked at about the same time. */
export type ViewPair = readonly [NodeView, NodeView];

/** One thing that two nodes do not agree on. */
export interface Difference {
  /** For people. */
  readonly line: string;
  /** The topic that it is about; undefined if it is about a replica. */
  readonly topic: string | undefined;
  /** Whether it is still there, by what both say later. */
  remains(later: ViewPair): boolean;
}

/** Everything that the two views differ in: replicas first, then entries. Cost: O(replicas + entries in the views). */
export function differencesOf(pair: ViewPair): Difference[] {
  const replicas = union(pair.map(({ cluster }) => cluster.replicas.map(({ replica }) => replica)));
  const topics = union(pair.map((view) => [...view.topics.keys()]));
  return [
    ...replicas.flatMap((replica) => replicaDifferences(replica, pair)),
    ...topics.flatMap((topic) => entryDifferences(topic, pair)),
  ];
}

function replicaDifferences(id: string, pair: ViewPair): Difference[] {
  const [one, other] = both(pair, (view) => replicaIn(view, id));
  const [oneName, otherName] = both(pair, nameOf);
  const about = `replica ${printable(id)}`;
  if (one === undefined || other === undefined) {
    const [knows, misses] = one === undefined ? [otherName, oneName] : [oneName, otherName];
    return [difference(`${about}: known at ${knows}, not at ${misses}`, (later) => isKnownToOne(later, id))];
  }
  const found: Difference[] = [];
  if (shownAs(one) !== shownAs(other)) {
    found.push(
      difference(`${about}: ${shownAs(one)} at ${oneName}, ${shownAs(other)} at ${otherName}`, (later) =>
        isShownDifferently(later, id),
      ),
    );
  }
  if (one.events !== other.events) {
    const [behind, target] =
      one.events < other.events ? ([0, other.events] as const) : ([1, one.events] as const);
    found.push(
      difference(
        `${about}: ${one.events} events at ${oneName}, ${other.events} at ${otherName}`,
        // The one that leads may go on; what counts is whether the other has come as far as that by now.
        (later) => (replicaIn(later[behind], id)?.events ?? target) < target,
      ),
    );
  } else if (one.entries !== other.entries) {
    found.push(
      difference(
        `${about}: ${one.entries} entries at ${oneName}, ${other.entries} at ${otherName}, after the same events`,
        (later) => isDiverged(later, id),
      ),
    );
  } else if (one.hash !== other.hash) {
    found.push(
      difference(
        `${about}: other entries at ${oneName} than at ${otherName}, after the same events`,
        (later) => isDiverged(later, id),
      ),
    );
  }
  return found;
}

function entryDifferences(topic: string, pair: ViewPair): Difference[] {
  const [one, other] = both(pair, (view) => entriesOf(view, topic));
  const [oneName, otherName] = both(pair, nameOf);
  const found: Difference[] = [];
  for (const ref of union([[...one.keys()], [...other.keys()]])) {
    const [here, there] = [one.get(ref), other.get(ref)];
    if (isDeepStrictEqual(here, there)) continue;
    const { key, node } = (here ?? there)!;
    const what = `${printable(topic)}: ${printable(key)} on ${printable(node)}`;
    const how =
      here !== undefined && there !== undefined
        ? `has another meta at ${oneName} than at ${otherName}`
        : here !== undefined
          ? `shown at ${oneName}, not at ${otherName}`
          : `shown at ${otherName}, not at ${oneName}`;
    found.push(
      difference(
        `${what}, ${how}`,
        (later) => {
          const [now, then] = both(later, (view) => entriesOf(view, topic).get(ref));
          return !isDeepStrictEqual(now, then);
        },
        topic,
      ),
    );
  }
  return found;
}

function difference(line: string, remains: (later: ViewPair) => boolean, topic?: string): Difference {
  return { line, topic, remains };
}

function isKnownToOne(pair: ViewPair, id: string): boolean {
  const [one, other] = both(pair, (view) => replicaIn(view, id) !== undefined);
  return one !== other;
}

function isShownDifferently(pair: ViewPair, id: string): boolean {
  const [one, other] = both(pair, (view) => replicaIn(view, id));
  return one !== undefined && other !== undefined && shownAs(one) !== shownAs(other);
}

function isDiverged(pair: ViewPair, id: string): boolean {
  const [one, other] = both(pair, (view) => replicaIn(view, id));
  return one?.events === other?.events && (one?.entries !== other?.entries || one?.hash !== other?.hash);
}

/** A suspected replica is shown as one that is up, and so is the node itself. */
function shownAs({ status }: ReplicaJson): "up" | "leaving" | "down" {
  return status === "down" || status === "leaving" ? status : "up";
}

function replicaIn({ cluster }: NodeView, id: string): ReplicaJson | undefined {
  return cluster.replicas.find(({ replica }) => replica === id);
}

/** The entries of a topic by their reference, which is the same on every node. */
function entriesOf(
  { topics }: NodeView,
  topic: string,
): Map<string, { key: string; node: string; meta: unknown }> {
  const entries = new Map<string, { key: string; node: string; meta: unknown }>();
  for (const [key, { metas }] of Object.entries(topics.get(topic)?.presences ?? {}))
    for (const { ref, node, meta } of metas) entries.set(ref, { key, node, meta });
  return entries;
}

function nameOf({ cluster }: NodeView): string {
  return printable(cluster.node);
}

function both<T>([one, other]: ViewPair, read: (view: NodeView) => T): readonly [T, T] {
  return [read(one), read(other)];
}

function union(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort();
}
