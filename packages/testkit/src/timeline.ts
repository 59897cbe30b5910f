/** A history in words: who did what when, what was lost, and what the nodes made of it. */
import type { Notice, TopicDiff } from "@presently/replica";
import { nodeNames, type SimulatedCluster } from "./cluster.ts";
import type { Direction, End } from "./connection.ts";
import type { ClusterObserver } from "./observer.ts";
import type { SimulatedProcess } from "./process.ts";
import { KEYS, LIES, metaOf, type Step, TOPICS } from "./scenario.ts";

/** Lines that are kept at the start and at the end. */
const LINES_HALF = 80;

const MESSAGES: Readonly<Record<number, string>> = {
  16: "delta",
  17: "heartbeat",
  18: "pull",
  19: "sync",
  20: "probe",
  21: "answer to a probe",
  22: "goodbye",
  23: "incarnation",
  31: "word to another process of its name",
};

/** Observes a cluster and tells its history in words, a line for each thing that happened; for the message of a failure. */
export class Timeline implements ClusterObserver {
  private readonly cluster: SimulatedCluster;
  private readonly lines: string[] = [];
  /** The last line, and how often it has been said in a row. */
  private line = "";
  private times = 0;

  constructor(cluster: SimulatedCluster) {
    this.cluster = cluster;
  }

  /** The lines; of a long history the start and the end. */
  toString(): string {
    const { lines } = this;
    if (lines.length <= 2 * LINES_HALF) return lines.join("\n");
    const left = lines.length - 2 * LINES_HALF;
    return [
      ...lines.slice(0, LINES_HALF),
      `          … ${left} more lines …`,
      ...lines.slice(-LINES_HALF),
    ].join("\n");
  }

  /** A step that is about to be taken. */
  step(index: number, step: Step): void {
    if (step.do !== "advance") this.act(index, describeStep(step));
  }

  /** Something that is about to be done, in words. */
  act(index: number, what: string): void {
    this.say(`${String(index + 1).padStart(3)}. ${what}`);
  }

  started({ id, host, name }: SimulatedProcess): void {
    this.say(`     ${id} starts${host === name ? "" : ` on ${host}`}`);
  }

  ended({ id }: SimulatedProcess, how: string): void {
    this.say(`     ${id} ${how}`);
  }

  unlinked({ process, peer }: End, reason: string): void {
    this.say(`     ${process.id} loses its link with ${peer}: ${reason}`);
  }

  lost({ sender, receiver }: Direction, frame: Uint8Array): void {
    this.say(
      `     lost: a ${MESSAGES[frame[1]!] ?? "frame"} from ${sender.process.id} to ${receiver.process.id}`,
    );
  }

  congested({ sender }: Direction): void {
    this.say(`     the link from ${sender.process.id} to ${sender.peer} is congested`);
  }

  changed({ id }: SimulatedProcess, { topic, joins, leaves, updates }: TopicDiff): void {
    const changes = [
      ...joins.map(({ key, ref }) => `+${key} (${ref})`),
      ...leaves.map(({ presence: { key, ref }, reason }) => `-${key} (${ref}, ${reason})`),
      ...updates.map(({ before, after }) => `~${after.key} (${before.ref} -> ${after.ref})`),
    ];
    this.say(`     ${id} sees on ${topic}: ${changes.join(" ")}`);
  }

  notice({ id }: SimulatedProcess, { level, message, type }: Notice): void {
    if (level !== "debug" && type !== "replica-suspect") this.say(`     ${id} says: ${message}`);
  }

  /** How it ended. */
  failed(error: unknown): void {
    this.say(`  => ${error instanceof Error ? error.message : String(error)}`);
  }

  private say(what: string): void {
    const line = `${(this.cluster.time.now / 1_000).toFixed(4).padStart(10)} s ${what}`;
    this.times = line === this.line ? this.times + 1 : 1;
    if (this.times > 1) this.lines.pop();
    this.line = line;
    this.lines.push(this.times > 1 ? `${line} (${this.times} times)` : line);
  }
}

/** One step in words. */
export function describeStep(step: Step): string {
  const name = "node" in step ? nodeNames(step.node + 1)[step.node]! : "";
  const other = "other" in step ? nodeNames(step.other + 1)[step.other]! : "";
  const topic = "topic" in step ? TOPICS[step.topic % TOPICS.length]! : "";
  const key = "key" in step ? KEYS[step.key % KEYS.length]! : "";
  const who = "session" in step ? `session ${step.session} of ${name}` : name;
  switch (step.do) {
    case "track":
      return `${who} tracks ${key} on ${topic} as ${JSON.stringify(metaOf(step).meta)}`;
    case "update":
      return `${who} updates ${key} on ${topic} to ${JSON.stringify(metaOf(step).meta)}`;
    case "untrack":
      return `${who} untracks ${key} on ${topic}`;
    case "close":
      return `${who} closes`;
    case "batch":
      return `${who} tracks all keys on ${topic}, and untracks ${KEYS[0]}, as one change`;
    case "kick":
      return `${name} removes ${key} from ${topic}, whoever holds it`;
    case "app":
      return `${name}: ${step.operation} ${JSON.stringify(step.input)}`;
    case "advance":
      return `${step.ms} ms pass`;
    case "partition": {
      const cut = nodeNames(31).filter((_, index) => (step.nodes >> index) & 1);
      return `${cut.join(", ")}: cut from the others`;
    }
    case "cut":
    case "mend":
      return `${step.do} ${name} <> ${other}`;
    case "stall":
      return `stall ${name} -> ${other}`;
    case "slow":
      return `slow ${name} -> ${other} to ${step.bytesPerSecond} B/s`;
    case "mend-all":
      return "everything is mended";
    case "pause":
      return `${name} stands still`;
    case "resume":
      return `${name} goes on`;
    case "crash":
      return step.vanish ? `${name} vanishes with its host` : `${name} crashes`;
    case "start":
      return step.back ? `${name} starts, with a clock that was set back` : `${name} starts`;
    case "move":
      return `${name} starts on another host as well`;
    case "stop":
      return `${name} stops${step.handoffMs > 0 ? `, with a hand-off of ${step.handoffMs} ms` : ""}`;
    case "lie":
      return `${name} says of ${other} ${LIES[step.lie % LIES.length]}`;
    case "echo":
      return `${name} hears an old greeting of its own`;
    case "throw":
      return `listeners of ${name} throw ${step.times} times`;
    case "evict":
      return `${name} is ordered to forget ${other}`;
  }
}
