/** Plays a history with the clients of one protocol, and checks every client's own list once all is quiet. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { eventually } from "../eventually.ts";
import { type HistoryOptions, historyOf, type Step } from "./history.ts";
import type { View, ViewDriver, ViewWorld } from "./view-driver.ts";

/** The seeds of a run: fixed ones, or `RUNS` (default 1) from `SEED` on. */
export function seedsOf(fixed: readonly number[]): readonly number[] {
  const { SEED, RUNS } = process.env;
  if (SEED === undefined && RUNS === undefined) return fixed;
  const first = Number(SEED ?? Math.floor(Math.random() * 2 ** 31));
  return Array.from({ length: Number(RUNS ?? 1) }, (_, run) => first + run);
}

/** What a history says about the clients; how many links there are, the world knows. */
export type PlayOptions = Omit<HistoryOptions, "links">;

/** @throws an error with the seed, the steps, and what the client in question was told */
export async function play(world: ViewWorld, seed: number, options: PlayOptions): Promise<void> {
  const player = new Player(world, options.clients);
  try {
    await player.connect();
    for (const { steps, pauseMs } of historyOf(seed, { ...options, links: world.links })) {
      for (const step of steps) await player.take(step);
      // Also without a pause, what has come is dealt with before the next tick.
      await delay(pauseMs);
    }
    await player.check(options.topics);
  } catch (error) {
    throw new Error(`SEED=${seed}: ${(error as Error).message}\n\n${player.timeline.join("\n")}`, {
      cause: error,
    });
  } finally {
    player.close();
  }
}

class Player {
  readonly timeline: string[] = [];
  readonly #world: ViewWorld;
  readonly #clients: ViewDriver[];
  /** What each client is on each topic. */
  readonly #keys: Map<string, string>[];
  readonly #startedAt = performance.now();
  readonly #refused: string[] = [];
  #settling = 0;

  constructor(world: ViewWorld, clients: number) {
    this.#world = world;
    this.#clients = Array.from({ length: clients }, (_, index) => world.client(index % world.nodes));
    this.#keys = this.#clients.map(() => new Map());
  }

  async connect(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.connect()));
  }

  /** Only `cut` and `resume` are waited for: what a client says before it is back belongs to a connection that is gone. */
  async take(step: Step): Promise<void> {
    this.#note(JSON.stringify(step));
    if ("link" in step) return this.#world[step.do](step.link);
    const client = this.#clients[step.client]!;
    const keys = this.#keys[step.client]!;
    switch (step.do) {
      case "join":
        keys.set(step.topic, step.key);
        return this.#join(step.client, step.topic, step.meta);
      case "leave":
        keys.delete(step.topic);
        return client.leave(step.topic);
      case "rejoin":
        client.leave(step.topic);
        return this.#join(step.client, step.topic, step.meta);
      case "update":
        return client.update(step.topic, step.meta);
      case "cut":
        return client.cut();
      case "resume":
        return client.resume();
    }
  }

  /** Waits until all lists are right, and says which is not. */
  async check(topics: readonly string[]): Promise<void> {
    await eventually(
      () => {
        expect(this.#refused).toEqual([]);
        expect(this.#settling, "joins without an answer").toBe(0);
        for (const topic of topics) this.#checkTopic(topic);
      },
      { timeoutMs: 15_000, what: "every client's own list is its node's" },
    );
    for (const [index, { faults }] of this.#clients.entries())
      expect(faults.join("; "), `what client ${index} was told`).toBe("");
  }

  #checkTopic(topic: string): void {
    const people = new Set(this.#keys.flatMap((keys) => keys.get(topic) ?? []));
    const lists = Array.from({ length: this.#world.nodes }, (_, node) => this.#world.list(node, topic));
    for (const [node, list] of lists.entries())
      expect(Object.keys(list).sort(), `${topic} at node ${node}`).toEqual([...people].sort());
    for (const [index, client] of this.#clients.entries()) {
      if (!this.#keys[index]!.has(topic)) continue;
      const node = index % this.#world.nodes;
      const told = () =>
        `${topic} at client ${index} of node ${node}, which was told: ${client.told(topic).join(" ")}`;
      const own: View = client.list(topic);
      if (JSON.stringify(sorted(own)) !== JSON.stringify(sorted(lists[node]!)))
        expect(own, told()).toEqual(lists[node]);
    }
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #join(index: number, topic: string, meta: number): void {
    const key = this.#keys[index]!.get(topic)!;
    this.#settling += 1;
    this.#clients[index]!.join(topic, key, meta)
      .catch((error: unknown) => void this.#refused.push(`client ${index} on ${topic}: ${String(error)}`))
      .finally(() => {
        this.#settling -= 1;
        this.#note(`client ${index} is on ${topic}`);
      });
  }

  #note(text: string): void {
    this.timeline.push(`${Math.round(performance.now() - this.#startedAt)} ms  ${text}`);
  }
}

function sorted(view: View): [string, unknown][] {
  return Object.entries(view).sort(([one], [other]) => (one < other ? -1 : 1));
}
