/** A cluster, the sessions on it, and the naive models beside both: takes the steps of a scenario one by one. */
import type { ReplicaId, ReplicaOptions } from "@presently/replica";
import type { Application } from "./application.ts";
import { type ClusterOptions, checkWatched, nodeNames, SimulatedCluster } from "./cluster.ts";
import type { Coverage } from "./coverage.ts";
import { DiffOracle } from "./diff-oracle.ts";
import { InvariantError, ScenarioError } from "./errors.ts";
import { FaultSteps } from "./fault-steps.ts";
import { LivenessOracle } from "./liveness-oracle.ts";
import type { ClusterObserver } from "./observer.ts";
import { PresenceSteps } from "./presence-steps.ts";
import type { SimulatedProcess } from "./process.ts";
import { Reference } from "./reference.ts";
import { type ApplicationStep, type OperationStep, type Scenario, type Step, TOPICS } from "./scenario.ts";
import type { SessionModel } from "./sessions.ts";
import { StateOracle } from "./state-oracle.ts";
import { WireOracle } from "./wire-oracle.ts";

/** Message types after which a replica's state is checked: delta, sync, leave. */
const STATE_MESSAGES = new Set([16, 19, 22]);

/** More entries than a scenario has. */
const ENTRIES_MAX = 1_000;
/** What is said when the entries of a replica begin to be shown or hidden. */
const SWEEPS: ReadonlySet<string> = new Set(["replica-up", "replica-down", "replica-evicted"]);

/** What the cluster of a scenario is like unless told otherwise: quick to forget, and with small frames. */
export const SCENARIO_REPLICA: Partial<ReplicaOptions> = { evictAfterMs: 30_000, frameBytesTarget: 500 };

/** How the cluster of a scenario differs from the usual one, and who looks on. */
export interface WorldOptions extends Pick<ClusterOptions, "network"> {
  readonly replica?: Partial<ReplicaOptions>;
  /** Counts the situations that it gets into. */
  readonly coverage?: Coverage;
  readonly observers?: (cluster: SimulatedCluster) => readonly ClusterObserver[];
  /** What runs on every node, instead of sessions of our own. */
  readonly application?: Application<unknown>;
}

/** A cluster with everything that judges it: takes the steps of a scenario one by one, and throws at the first broken promise. */
export class World {
  readonly cluster: SimulatedCluster;
  readonly names: readonly string[];
  readonly reference = new Reference();
  /** Replicas that anybody has forgotten, or was about to. */
  readonly forgotten = new Set<ReplicaId>();
  readonly sessions = new Map<SimulatedProcess, (SessionModel | undefined)[]>();
  /** What runs on each process, if an application is under test. */
  readonly applications = new Map<SimulatedProcess, unknown>();
  readonly liveness: LivenessOracle;
  readonly coverage: Coverage | undefined;
  private readonly application: Application<unknown> | undefined;
  private readonly state = new StateOracle(this.reference, this.forgotten);
  private readonly own = new Map<SimulatedProcess, { id: ReplicaId; readded: number }>();
  private readonly presence = new PresenceSteps(this);
  private readonly faults = new FaultSteps(this);
  /** When each process last began to show or hide somebody's entries: it does so within the same moment. */
  private readonly sweptAt = new Map<SimulatedProcess, number>();
  private readonly ids = new Map<string, Set<ReplicaId>>();

  constructor(scenario: Omit<Scenario, "steps">, options: WorldOptions = {}) {
    this.application = options.application;
    this.coverage = options.coverage;
    this.names = nodeNames(scenario.nodes);
    this.cluster = new SimulatedCluster(0, {
      seed: scenario.seed,
      topics: this.application === undefined ? TOPICS : (this.application.topics ?? []),
      replica: { ...SCENARIO_REPLICA, logSizeMax: scenario.logSizeMax, ...options.replica },
      ...(options.network && { network: options.network }),
    });
    for (const observer of options.observers?.(this.cluster) ?? []) this.cluster.observe(observer);
    if (options.coverage !== undefined) this.cluster.observe(options.coverage);
    this.cluster.observe(this.observer());
    this.liveness = new LivenessOracle(this.cluster);
    this.cluster.observe(this.liveness);
    this.cluster.observe(new DiffOracle());
    this.cluster.observe(new WireOracle());
    for (const name of this.names) this.faults.startNext(name, name);
  }

  private observer(): ClusterObserver {
    return {
      started: (process) => {
        this.sessions.set(process, []);
        this.own.set(process, { id: process.id, readded: 0 });
        this.rememberId(process);
        const { name, endpoint } = process;
        const app = this.application?.start({ name, replica: endpoint.replica });
        this.applications.set(process, app);
      },
      ended: (process, how) => {
        if (how.startsWith("stopped")) this.forgotten.add(process.id);
      },
      notice: (process, { type, replica }) => {
        if (type === "replica-evicted" || type === "replica-leaving")
          this.forgotten.add(replica as ReplicaId);
        if (SWEEPS.has(type)) this.sweptAt.set(process, this.cluster.time.now);
        if (type !== "reincarnated") return;
        this.forgotten.add(this.own.get(process)!.id);
        this.rememberId(process);
      },
      input: (process) => this.follow(process),
      overflowed: ({ sender }) => {
        throw new InvariantError(
          "buffers",
          `${sender.process.id} sent more to ${sender.peer} than its link may hold`,
        );
      },
      delivered: ({ receiver }, frame) => {
        if (STATE_MESSAGES.has(frame[1]!)) this.check(receiver.process);
      },
    };
  }

  private rememberId({ name, id }: SimulatedProcess): void {
    this.ids.set(name, this.idsOf(name).add(id));
  }

  /** Every id that a node has gone by. */
  idsOf(name: string): Set<ReplicaId> {
    return this.ids.get(name) ?? new Set();
  }

  /** Whether all changes go through the steps, so that the reference knows every event. */
  get isExact(): boolean {
    return this.application === undefined;
  }

  /** Takes a step, and checks everything that must hold at any time. @throws {InvariantError} */
  step(step: Step): void {
    if (step.do === "advance") this.cluster.time.advance(step.ms);
    else if (step.do === "app") this.operate(step);
    else if ("session" in step || step.do === "kick") this.change(step);
    else this.faults.disturb(step);
    this.checkAll();
  }

  /** A roster that is asked to remove what is shown must have hidden all that it has just forgotten. */
  private change(step: OperationStep): void {
    for (const process of this.cluster.processes)
      if (this.mayBeSweeping(process)) this.cluster.time.advance(0);
    this.presence.operate(step);
  }

  private operate({ node, operation, input }: ApplicationStep): void {
    const process = this.current(node);
    if (process === undefined || process.paused) return;
    const found = this.application?.operations[operation];
    if (found === undefined) throw new ScenarioError(`the application has no operation ${operation}`);
    found.run(this.applications.get(process), input);
  }

  /** The process that is a node: the newest that no other has superseded. */
  current(node: number): SimulatedProcess | undefined {
    const name = this.names[node % this.names.length]!;
    const newest = this.cluster.nodes.get(name);
    if (newest !== undefined && !newest.superseded) return newest;
    return this.processesOf(name).find(({ superseded, leaving }) => !superseded && !leaving);
  }

  processesOf(name: string): SimulatedProcess[] {
    return [...this.cluster.processes].filter((process) => process.name === name);
  }

  /** Events that a replica makes by itself: entries come back that a full exchange dropped, or move to a new name. */
  private follow(process: SimulatedProcess): void {
    if (!this.isExact) return;
    const own = this.own.get(process)!;
    const { state, counters } = process.endpoint.replica;
    const { id } = process;
    const made = state.vectorOf(id);
    const known = this.reference.made(id);
    const byItself = made - known;
    if (id === own.id && byItself !== counters.readded - own.readded)
      throw new InvariantError("events", `${id} made ${byItself} events by itself`);
    for (let number = known + 1; number <= made; number++) {
      const presence = state.entriesOf(id).get(number)?.presence;
      const adds = presence && { topic: presence.topic, key: presence.key, meta: presence.meta };
      // What comes back under another dot takes the old one away, for those who hold it still.
      const before = presence?.previousRef;
      const removes = before === undefined ? [] : [{ replica: id, number: numberOf(before) }];
      this.reference.record(id, { adds, removes });
    }
    own.id = id;
    own.readded = counters.readded;
  }

  // Checks.

  /** Everything that must hold at any time. @throws {InvariantError} */
  checkAll(): void {
    this.cluster.throwFinding();
    for (const process of this.cluster.processes) this.check(process);
    this.liveness.check();
  }

  /** What must hold at one process. @throws {InvariantError} */
  check(process: SimulatedProcess): void {
    if (process.paused || process.ended) return;
    checkWatched(process);
    if (process.superseded || process.leaving) return;
    for (const model of this.sessions.get(process)!) if (model?.session.closed === false) model.check();
    if (this.isExact) this.state.check(process, !this.mayBeSweeping(process));
    const { name, endpoint } = process;
    this.application?.always?.(this.applications.get(process), { name, replica: endpoint.replica });
    this.coverage?.looked(process);
  }

  /** Whether it may have shown or hidden only some of the entries of who has just come or gone. */
  private mayBeSweeping(process: SimulatedProcess): boolean {
    const { sweepEntriesMax } = process.endpoint.replica.settings;
    return sweepEntriesMax < ENTRIES_MAX && this.sweptAt.get(process) === this.cluster.time.now;
  }

  /** What the application says of a cluster that has healed. */
  checkHealed(): void {
    const apps = new Map(this.survivors().map((process) => [process.name, this.applications.get(process)]));
    this.application?.healed?.(apps);
  }

  /** The processes that are the nodes of the cluster once it has healed. */
  survivors(): SimulatedProcess[] {
    return [...this.cluster.processes].filter(({ superseded, leaving }) => !superseded && !leaving);
  }

  /** Who is on a topic by what each surviving node shows of its own, which is what its sessions hold: `key ref meta node`, sorted. */
  truth(topic: string): string[] {
    return this.survivors()
      .flatMap(({ id, endpoint }) =>
        endpoint.replica
          .list(topic)
          .filter(({ replica }) => replica === id)
          .map(({ key, ref, meta, node }) => `${key} ${ref} ${JSON.stringify(meta)} ${node}`),
      )
      .sort();
  }
}

/** The event number in a public reference. */
function numberOf(ref: string): number {
  return Number.parseInt(ref.slice(ref.lastIndexOf(".") + 1), 36);
}
