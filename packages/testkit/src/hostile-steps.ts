/** Takes the steps in which others misbehave: peers that lie, a broker that delivers what is old, listeners that throw. */
import {
  encodeMessage,
  incarnationOf,
  type Message,
  nameOf,
  type ReplicaId,
  replicaId,
} from "@presently/replica";
import type { SimulatedProcess } from "./process.ts";
import { type FaultStep, LIES, TOPICS } from "./scenario.ts";
import type { World } from "./world.ts";

type HostileStep = Extract<FaultStep, { do: "lie" | "echo" | "throw" }>;

/** How much newer an incarnation is that was made up. */
const MADE_UP = [1, 5_000];
/** A liar says what is true again after so long. */
const LIE_MS = 1_000;
/** A link with somebody who is not there lasts so long. */
const ECHO_MS = 3_000;
/** Of each name this is said so often: each time it takes another, and for the next it waits longer. */
const PER_NAME_MAX = 2;
const CHANNEL = "planned";

export class HostileSteps {
  private readonly world: World;
  private readonly said = new Map<string, number>();
  private readonly listening = new WeakSet<SimulatedProcess>();

  constructor(world: World) {
    this.world = world;
  }

  take(step: HostileStep): void {
    const process = this.world.current(step.node);
    if (process === undefined || process.paused) return;
    if (step.do === "throw") this.fail(process, step.times);
    else if (step.do === "echo") this.echo(process, step.past);
    else this.lie(process, this.world.current(step.other), step.lie);
  }

  /** Whether something may still be made up of a name. */
  private mayTell(name: string): boolean {
    const count = this.said.get(name) ?? 0;
    this.said.set(name, count + 1);
    return count < PER_NAME_MAX;
  }

  // Lies.

  private lie(liar: SimulatedProcess, victim: SimulatedProcess | undefined, lie: number): void {
    if (victim === undefined || victim.name === liar.name || !this.mayTell(victim.name)) return;
    const newer =
      victim.endpoint.replica.incarnation + MADE_UP[Math.floor(lie / LIES.length) % MADE_UP.length]!;
    const kind = lie % LIES.length;
    this.world.cluster.noteHostility(`${liar.id} says of ${victim.id} ${LIES[kind]}`);
    if (kind === 2) {
      this.say(liar, { type: "incarnation", newest: lie === kind ? Number.MAX_SAFE_INTEGER : newer }, victim);
      return;
    }
    const heard = kind === 0 ? [{ replica: replicaId(victim.name, newer), counter: 1, agoMs: 0 }] : [];
    const digest = this.digestOf(liar);
    for (const summary of digest) if (kind === 1 && summary.replica === victim.id) summary.vector += 3;
    this.say(liar, { type: "heartbeat", counter: 0, heard, digestHash: 0, digest });
    const { time } = this.world.cluster;
    time.schedule(time.now + LIE_MS, () => {
      if (liar.running)
        this.say(liar, {
          type: "heartbeat",
          counter: 0,
          heard: [],
          digestHash: 0,
          digest: this.digestOf(liar),
        });
    });
  }

  private digestOf({ id, endpoint }: SimulatedProcess) {
    const { state } = endpoint.replica;
    const known = new Set<ReplicaId>([id, ...endpoint.cluster().map(({ replica }) => replica)]);
    return [...state.digest()]
      .filter(([replica]) => known.has(replica))
      .map(([replica, { vector, hash }]) => ({ replica, vector, hash }));
  }

  /** Sends a message that its replica knows nothing of: to one, or to all that it has a link with. */
  private say(liar: SimulatedProcess, message: Message, to?: SimulatedProcess): void {
    const frame = encodeMessage(message);
    for (const { peer } of liar.links())
      if (to === undefined ? nameOf(peer) !== liar.name : peer === to.id) liar.transport.send(peer, frame);
  }

  // Echoes.

  /** As over NATS when the server of a connection that was given up goes on: what comes is from a session that is over. */
  private echo(process: SimulatedProcess, past: number): void {
    const { name, id } = process;
    if (!this.mayTell(name)) return;
    const ids = [...this.world.idsOf(name), replicaId(name, incarnationOf(id) + MADE_UP[1]!)];
    const old = ids[past % ids.length]!;
    for (const other of this.world.cluster.processes) if (other.id === old && other !== process) return;
    this.world.cluster.noteHostility(`${id} hears a greeting of ${old}`);
    if (old === id) {
      process.input(() => process.endpoint.newerLifeSeen(incarnationOf(old)));
      return;
    }
    process.input(() => process.listener.peerUp(old));
    const { time } = this.world.cluster;
    time.schedule(time.now + ECHO_MS, () =>
      process.input(() => {
        if (process.endOf(old) === undefined) process.listener.peerDown(old, "nobody listens at its subject");
      }),
    );
  }

  // Listeners.

  private fail(process: SimulatedProcess, times: number): void {
    this.world.cluster.noteHostility(`listeners of ${process.id} throw ${times} times`);
    if (!this.listening.has(process)) this.listen(process);
    process.throws = times;
    for (const other of this.world.survivors()) {
      if (other === process || other.paused) continue;
      other.endpoint.replica.broadcast(CHANNEL, times);
      other.endpoint.replica.messenger.send(process.id, CHANNEL, times);
      other.endpoint.request(process.id, CHANNEL, times, LIE_MS, () => undefined);
    }
  }

  /** One listener of each kind. All of them are told, whichever throws. */
  private listen(process: SimulatedProcess): void {
    this.listening.add(process);
    const { replica } = process.endpoint;
    const listener = () => process.listen();
    for (const topic of TOPICS) {
      replica.watch(topic, listener);
      replica.watchCount(topic, listener);
    }
    replica.onReplica(listener);
    replica.onBroadcast(CHANNEL, listener);
    replica.messenger.onMessage(CHANNEL, listener);
    replica.messenger.onRequest(CHANNEL, listener);
  }
}
