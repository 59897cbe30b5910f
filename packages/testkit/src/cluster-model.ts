/**
 * The naive model of a cluster, for model-based tests: who is present is what sessions of living nodes track, at once and
 * everywhere. No replicas, no messages, no time. What a real cluster shows must come to the same as soon as it can.
 */
import { InvariantError } from "./errors.ts";
import { BATCH_KEYS, KEYS, metaOf, type OperationStep, type Step, TOPICS } from "./scenario.ts";
import type { World } from "./world.ts";

/** Something that a session tracks. */
interface Tracked {
  readonly topic: number;
  readonly key: number;
  /** As JSON. */
  readonly meta: string;
  /** Another node has removed what it then saw of the key: that may have been this, or something before it. */
  doubtful: boolean;
}

interface NodeModel {
  state: "up" | "paused" | "gone";
  sessions: Map<number, Map<string, Tracked>>;
}

/** What `batch` tracks. */
const BULKY = JSON.stringify({ text: "x".repeat(300) });

/** The naive model that commands are compared with: takes the same steps as the cluster, and knows who is to be present. */
export class ClusterModel {
  private readonly nodes: NodeModel[];

  /** @param nodes how many; all are up, and nobody is present */
  constructor(nodes: number) {
    this.nodes = Array.from({ length: nodes }, () => ({ state: "up", sessions: new Map() }));
  }

  /** Whether the step would change anything, and the model can tell what. */
  allows(step: Step): boolean {
    // What becomes of a name that others lie about, a naive model cannot tell.
    if (["app", "move", "lie", "echo", "throw"].includes(step.do)) return false;
    if (!("node" in step)) return true;
    const node = this.node(step.node);
    if ("other" in step) return this.node(step.other) !== node;
    if (step.do === "start") return !step.back && node.state === "gone";
    if (step.do === "resume") return node.state === "paused";
    if (step.do === "crash") return node.state !== "gone";
    if (node.state !== "up") return false;
    return step.do !== "update" || this.held(step)?.doubtful === false;
  }

  /** Takes a step that is allowed. */
  take(step: Step): void {
    if ("session" in step || step.do === "kick") this.operate(step);
    else if (step.do === "mend-all") this.mend();
    else if (step.do === "pause") this.node(step.node).state = "paused";
    else if (step.do === "resume") this.node(step.node).state = "up";
    else if (step.do === "crash" || step.do === "stop")
      this.nodes[step.node % this.nodes.length] = { state: "gone", sessions: new Map() };
    else if (step.do === "start") this.node(step.node).state = "up";
  }

  /** Every process goes on. */
  mend(): void {
    for (const node of this.nodes) if (node.state === "paused") node.state = "up";
  }

  private operate(step: OperationStep): void {
    const { sessions } = this.node(step.node);
    if (step.do === "kick") {
      this.kick(step);
      return;
    }
    const session = sessions.get(step.session) ?? new Map<string, Tracked>();
    sessions.set(step.session, session);
    if (step.do === "close") session.clear();
    else if (step.do === "batch") {
      for (const key of BATCH_KEYS.keys()) put(session, step.topic, key, BULKY);
      session.delete(nameOf(step.topic, 0));
    } else if (step.do === "untrack") session.delete(nameOf(step.topic, step.key));
    else {
      const { meta, isRefused } = metaOf(step);
      if (!isRefused) put(session, step.topic, step.key, JSON.stringify(meta));
    }
  }

  private kick({ node, topic, key }: { node: number; topic: number; key: number }): void {
    const name = nameOf(topic, key);
    for (const other of this.nodes) {
      for (const session of other.sessions.values()) {
        if (other === this.node(node)) session.delete(name);
        else {
          const tracked = session.get(name);
          if (tracked !== undefined) tracked.doubtful = true;
        }
      }
    }
  }

  /**
   * What every node shows of itself at once, whatever is wrong between nodes.
   *
   * @throws {InvariantError} `model`
   */
  checkOwn(world: World): void {
    for (const [index, node] of this.nodes.entries()) {
      if (node.state !== "up") continue;
      const process = world.current(index);
      if (process === undefined) fail(`${world.names[index]} is up by the model, and does not run`);
      const { id, endpoint } = process;
      const shown = TOPICS.flatMap((topic) =>
        endpoint.replica.list(topic).filter(({ replica }) => replica === id),
      );
      compare(`${id} of itself`, shown, [node]);
    }
  }

  /**
   * What every node shows once everything is mended.
   *
   * @throws {InvariantError} `model`
   */
  checkAll(world: World): void {
    for (const { id, endpoint } of world.survivors())
      compare(
        id,
        TOPICS.flatMap((topic) => endpoint.replica.list(topic)),
        this.nodes,
      );
  }

  private held({ node, session, ...what }: { node: number; session: number; topic: number; key: number }) {
    return this.node(node).sessions.get(session)?.get(nameOf(what.topic, what.key));
  }

  private node(index: number): NodeModel {
    return this.nodes[index % this.nodes.length]!;
  }
}

function put(session: Map<string, Tracked>, topic: number, key: number, meta: string): void {
  session.set(nameOf(topic, key), { topic, key, meta, doubtful: false });
}

/** Everything that is certain must be there, and nothing but that and what is doubtful. */
function compare(
  who: string,
  presences: readonly { topic: string; key: string; meta: unknown }[],
  nodes: readonly NodeModel[],
): void {
  const shown = new Map<string, number>();
  const count = (name: string, by: number) => shown.set(name, (shown.get(name) ?? 0) + by);
  for (const { topic, key, meta } of presences) count(`${key} on ${topic} as ${JSON.stringify(meta)}`, 1);
  const doubtful = new Map<string, number>();
  for (const { sessions } of nodes) {
    for (const session of sessions.values()) {
      for (const tracked of session.values()) {
        const name = `${KEYS[tracked.key]} on ${TOPICS[tracked.topic]} as ${tracked.meta}`;
        if (tracked.doubtful) doubtful.set(name, (doubtful.get(name) ?? 0) + 1);
        else count(name, -1);
      }
    }
  }
  for (const [name, left] of shown) {
    if (left < 0) fail(`${who} does not show ${name}, which a live session tracks`);
    if (left > (doubtful.get(name) ?? 0)) fail(`${who} shows ${name}, which no live session tracks`);
  }
}

function nameOf(topic: number, key: number): string {
  return `${topic} ${key}`;
}

function fail(what: string): never {
  throw new InvariantError("model", what);
}
