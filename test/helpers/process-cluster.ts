/** A cluster of operating-system processes whose every mesh link runs through a proxy that can be broken. */
import { Link } from "presently/demo";
import { expect } from "vitest";
import { eventually } from "./eventually.ts";
import { keysOn, openEvents, send, type TestStream } from "./http.ts";
import { freePort, type RunningNode, startNode } from "./processes.ts";

export interface ProcessClusterOptions {
  /** Further words for `presently start`, for every node. */
  readonly words?: readonly string[];
}

interface Seat {
  readonly name: string;
  readonly meshPort: number;
  node: RunningNode | undefined;
}

export class ProcessCluster {
  readonly #seats = new Map<string, Seat>();
  readonly #links: Link[] = [];
  readonly #words: readonly string[];
  /** The streams of those who were tracked. */
  readonly #people = new Map<string, TestStream>();
  /** Nodes that are paused answer nothing. */
  readonly paused = new Set<string>();

  /** Settles when all nodes run and have caught up with each other. */
  static async start(size: number, options: ProcessClusterOptions = {}): Promise<ProcessCluster> {
    const cluster = new ProcessCluster(options.words ?? []);
    const names = Array.from({ length: size }, (_, index) => `n${index + 1}`);
    for (const name of names) cluster.#seats.set(name, { name, meshPort: await freePort(), node: undefined });
    for (const [index, name] of names.entries()) {
      for (const other of names.slice(index + 1)) {
        cluster.#links.push(await Link.open(cluster.#seats.get(name)!, cluster.#seats.get(other)!));
      }
    }
    try {
      await Promise.all(names.map((name) => cluster.run(name)));
      await cluster.whole();
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  private constructor(words: readonly string[]) {
    this.#words = words;
  }

  get names(): string[] {
    return [...this.#seats.keys()];
  }

  /** The nodes that run and are not paused. */
  get answering(): RunningNode[] {
    const nodes: RunningNode[] = [];
    for (const { name, node } of this.#seats.values())
      if (node !== undefined && !this.paused.has(name)) nodes.push(node);
    return nodes;
  }

  node(name: string): RunningNode {
    const node = this.#seats.get(name)?.node;
    if (node === undefined) throw new Error(`${name} does not run`);
    return node;
  }

  runs(name: string): boolean {
    return this.#seats.get(name)!.node !== undefined;
  }

  /** Starts a node that does not run, at its old address. */
  async run(name: string): Promise<void> {
    const seat = this.#seats.get(name)!;
    const peers = this.#links
      .filter(({ ends }) => ends.includes(name))
      .flatMap((link) => ["--peer", link.peerUrl(name)]);
    const place = ["--mesh", `127.0.0.1:${seat.meshPort}`, "--http", "127.0.0.1:0", "--no-peer-gossip"];
    seat.node = await startNode(["--name", name, "--cluster", "test", ...place, ...peers, ...this.#words]);
  }

  async kill(name: string): Promise<void> {
    const seat = this.#seats.get(name)!;
    const node = this.node(name);
    seat.node = undefined;
    this.paused.delete(name);
    await node.kill();
  }

  async stop(name: string): Promise<number | null> {
    const seat = this.#seats.get(name)!;
    const node = this.node(name);
    seat.node = undefined;
    return await node.stop();
  }

  pause(name: string): void {
    this.paused.add(name);
    this.node(name).pause();
  }

  resume(name: string): void {
    this.paused.delete(name);
    this.node(name).resume();
  }

  link(one: string, other: string): Link {
    const link = this.#links.find((candidate) => candidate.joins(one, other));
    if (link === undefined) throw new Error(`no link ${one}–${other}`);
    return link;
  }

  /** Mends every link, and lets every node run. */
  async heal(): Promise<void> {
    for (const link of this.#links) link.restore();
    for (const name of this.paused) this.node(name).resume();
    this.paused.clear();
    for (const name of this.names) if (!this.runs(name)) await this.run(name);
  }

  /** Waits until every node sees every other up, linked and in agreement. */
  async whole(timeoutMs = 20_000): Promise<void> {
    const check = async () => {
      for (const node of this.answering) {
        const { body } = await send(node.url, "/api/cluster");
        expect(body.replicas.map(({ node }: { node: string }) => node).sort()).toEqual(this.names);
        for (const report of body.replicas) {
          if (report.status !== "self")
            expect([report.replica, report.status, report.linked, report.agrees]).toEqual([
              report.replica,
              "up",
              true,
              true,
            ]);
        }
        expect((await send(node.url, "/readyz")).status).toBe(200);
      }
    };
    await eventually(check, { timeoutMs, what: "the cluster is whole" });
  }

  /** Waits until every answering node shows exactly these keys on the topic. */
  async shows(topic: string, keys: readonly string[], timeoutMs?: number): Promise<void> {
    const expected = [...keys].sort();
    const check = async () => {
      for (const node of this.answering) expect(await keysOn(node.url, topic), node.name).toEqual(expected);
    };
    await eventually(check, {
      what: `${topic} shows ${expected.length} keys everywhere`,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  /** Somebody of this node, who is gone when it is: a client of an event stream. */
  async track(name: string, topic: string, key: string, meta: object = {}): Promise<void> {
    const stream = await openEvents(this.node(name).url, topic, { key, meta: JSON.stringify(meta) });
    expect(stream.status).toBe(200);
    await stream.at(0);
    this.#people.set(JSON.stringify([name, topic, key]), stream);
  }

  /** Lets go of whom `track` has made present; answers whether the node still had them. */
  untrack(name: string, topic: string, key: string): boolean {
    const who = JSON.stringify([name, topic, key]);
    const stream = this.#people.get(who);
    this.#people.delete(who);
    const isHere = stream?.ended === false;
    stream?.close();
    return isHere;
  }

  /** A client that is present for as long as its stream is open. */
  async join(name: string, topic: string, key: string): Promise<TestStream> {
    const stream = await openEvents(this.node(name).url, topic, { key });
    await stream.at(0);
    return stream;
  }

  async watch(name: string, topic: string): Promise<TestStream> {
    const stream = await openEvents(this.node(name).url, topic);
    await stream.at(0);
    return stream;
  }

  async close(): Promise<void> {
    for (const stream of this.#people.values()) stream.close();
    for (const seat of this.#seats.values()) await seat.node?.kill();
    for (const link of this.#links) await link.close();
  }
}

/** What a watcher saw since its state, as `+key`, `-key reason`, `~key`. */
export function seen(stream: TestStream): string[] {
  return stream.events
    .slice(1)
    .flatMap(({ data }) => [
      ...data.leaves.map(({ key, reason }: { key: string; reason: string }) => `-${key} ${reason}`),
      ...data.updates.map(({ after }: { after: { key: string } }) => `~${after.key}`),
      ...data.joins.map(({ key }: { key: string }) => `+${key}`),
    ]);
}
