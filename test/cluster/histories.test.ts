import { seededRandom } from "@presently/replica";
import { expect, test } from "vitest";
import { send, topicPath } from "../helpers/http.ts";
import { ProcessCluster } from "../helpers/process-cluster.ts";

const TOPICS = ["room:1", "room:2"];
const STEPS = 60;

/** Each node's own people, as its answers to our requests say; gone when the node is. */
class History {
  readonly cluster: ProcessCluster;
  readonly #random: () => number;
  readonly #held = new Map<string, Set<string>>();
  readonly log: string[] = [];
  #serial = 0;

  constructor(cluster: ProcessCluster, seed: string) {
    this.cluster = cluster;
    this.#random = seededRandom(seed);
    for (const name of cluster.names) this.#held.set(name, new Set());
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      await this.#churn();
      if (step % 3 === 0) await this.#break();
    }
  }

  /** What every node must show once the cluster is whole. */
  expected(topic: string): string[] {
    return [...this.#held.values()]
      .flatMap((held) => [...held])
      .filter((key) => key.startsWith(`${topic}/`))
      .sort();
  }

  async #churn(): Promise<void> {
    for (const { name } of this.cluster.answering) {
      const held = this.#held.get(name)!;
      if (held.size > 3 && this.#random() < 0.5) {
        const key = this.#pick([...held]);
        this.log.push(`${name} untracks ${key}`);
        expect(this.cluster.untrack(name, this.#topicOf(key), key)).toBe(true);
        held.delete(key);
      } else {
        const key = `${this.#pick(TOPICS)}/${name}/${this.#serial++}`;
        this.log.push(`${name} tracks ${key}`);
        await this.cluster.track(name, this.#topicOf(key), key, { serial: this.#serial });
        held.add(key);
      }
    }
  }

  async #break(): Promise<void> {
    const { cluster } = this;
    const [one, other] = [this.#pick(cluster.names), this.#pick(cluster.names)];
    const what = this.#pick([
      "cut",
      "cut",
      "stall",
      "one-way",
      "restore",
      "restore",
      "kill",
      "stop",
      "pause",
      "resume",
      "start",
      "start",
    ]);
    if (["cut", "stall", "one-way", "restore"].includes(what)) {
      if (one === other) return;
      const link = cluster.link(one, other);
      if (what === "cut") link.cut();
      else if (what === "stall") link.stall();
      else if (what === "one-way") link.stall(one);
      else link.restore();
      this.log.push(`${what} ${one}–${other}`);
      return;
    }
    const answering = cluster.runs(one) && !cluster.paused.has(one);
    if ((what === "kill" || what === "stop") && answering && cluster.answering.length > 1) {
      await cluster[what](one);
      this.#held.set(one, new Set());
    } else if (what === "pause" && answering && cluster.answering.length > 1) cluster.pause(one);
    else if (what === "resume" && cluster.paused.has(one)) cluster.resume(one);
    else if (what === "start" && !cluster.runs(one)) await cluster.run(one);
    else return;
    this.log.push(`${what} ${one}`);
  }

  #topicOf(key: string): string {
    return key.slice(0, key.indexOf("/"));
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }
}

test.for([
  { size: 2, seed: "two" },
  { size: 3, seed: "three" },
  { size: 5, seed: "five" },
  { size: 7, seed: "seven" },
])(
  "$size processes agree within seconds of healing, with no ghost and nothing lost (seed $seed)",
  async ({ size, seed }) => {
    const cluster = await ProcessCluster.start(size);
    const history = new History(cluster, seed);
    try {
      await history.run();
      await cluster.heal();
      const healedAt = performance.now();
      for (const topic of TOPICS) await cluster.shows(topic, history.expected(topic), 30_000);
      await cluster.whole(30_000);
      const seconds = ((performance.now() - healedAt) / 1_000).toFixed(1);
      for (const node of cluster.answering) {
        const refs = await Promise.all(
          TOPICS.map(async (topic) => (await send(node.url, topicPath(topic))).body.presences),
        );
        expect(Object.values(refs[0]).length + Object.values(refs[1]).length).toBe(
          TOPICS.flatMap((topic) => history.expected(topic)).length,
        );
      }
      console.log(`${size} processes, seed ${seed}: whole ${seconds} s after healing`);
    } catch (error) {
      console.log(history.log.join("\n"));
      throw error;
    } finally {
      await cluster.close();
    }
  },
);
