/** Takes the steps that break and mend the cluster. A step that makes no sense any more does nothing: so histories shrink. */
import { HostileSteps } from "./hostile-steps.ts";
import type { FaultStep } from "./scenario.ts";
import type { World } from "./world.ts";

/** Lives of a node are numbered in such steps, so that there is room for those whose clock went back. */
const INCARNATION_STEP = 1_000;
/** Of so many processes of one name at once, one is the node. */
const PROCESSES_PER_NAME_MAX = 2;

export class FaultSteps {
  private readonly world: World;
  private readonly newest = new Map<string, number>();
  private setBack = 0;
  private readonly hostile: HostileSteps;

  constructor(world: World) {
    this.world = world;
    this.hostile = new HostileSteps(world);
  }

  disturb(step: FaultStep): void {
    const { cluster } = this.world;
    if (step.do === "mend-all") cluster.mendAll();
    else if (step.do === "partition") this.partition(step.nodes);
    else if (step.do === "start") this.restart(step.node, step.back);
    else if (step.do === "evict") this.evict(step.node, step.other);
    else if (step.do === "move") this.move(step.node);
    else if (step.do === "lie" || step.do === "echo" || step.do === "throw") this.hostile.take(step);
    else if ("other" in step) this.between(step);
    else this.disturbNode(step);
  }

  private disturbNode(step: Extract<FaultStep, { do: "pause" | "resume" | "crash" | "stop" }>): void {
    const { cluster } = this.world;
    const process = this.world.current(step.node);
    // What another life of the node has left behind is not what the steps are about.
    if (process === undefined || cluster.nodes.get(process.name) !== process) return;
    const { name, paused } = process;
    if (step.do === "crash") cluster.crash(name, step);
    else if (step.do === "stop") {
      if (!paused) cluster.stop(name, step.handoffMs);
    } else if (paused === (step.do === "resume")) cluster[step.do](name);
  }

  private between(step: Exclude<Extract<FaultStep, { other: number }>, { do: "lie" }>): void {
    const { cluster } = this.world;
    for (const one of this.hostsOf(step.node)) {
      for (const other of this.hostsOf(step.other)) {
        if (one === other) continue;
        if (step.do === "cut" || step.do === "mend") cluster[step.do](one, other);
        else if (step.do === "stall") cluster.stall(one, other);
        else if (step.do === "slow") cluster.slow(one, other, step.bytesPerSecond);
      }
    }
  }

  private hostsOf(node: number): string[] {
    const name = this.world.names[node % this.world.names.length]!;
    return [...new Set([name, ...this.world.processesOf(name).map(({ host }) => host)])];
  }

  private partition(nodes: number): void {
    const sides: [string[], string[]] = [[], []];
    for (const index of this.world.names.keys()) sides[(nodes >> index) & 1]!.push(...this.hostsOf(index));
    this.world.cluster.partition(...sides);
  }

  private evict(node: number, other: number): void {
    const [process, victim] = [this.world.current(node), this.world.current(other)];
    if (process === undefined || victim === undefined || victim === process || process.paused) return;
    process.endpoint.replica.evict(victim.id);
    this.world.liveness.evictedByOrder();
    this.world.coverage?.evictedByOrder();
  }

  private restart(node: number, back: boolean): void {
    if (this.world.current(node) !== undefined) return;
    const name = this.world.names[node % this.world.names.length]!;
    for (const zombie of this.world.processesOf(name)) if (zombie.superseded) this.world.cluster.kill(zombie);
    const newest = this.newest.get(name)!;
    if (back) this.start(name, this.freeHost(name), newest - ++this.setBack);
    else this.startNext(name, this.freeHost(name));
  }

  private move(node: number): void {
    const name = this.world.names[node % this.world.names.length]!;
    if (
      this.world.current(node) !== undefined &&
      this.world.processesOf(name).length < PROCESSES_PER_NAME_MAX
    )
      this.startNext(name, this.freeHost(name));
  }

  private freeHost(name: string): string {
    for (let index = 1; ; index++) {
      const host = index === 1 ? name : `${name}/${index}`;
      const there = this.world.cluster.processAt(host);
      if (there === undefined || there.ended || there.leaving) return host;
    }
  }

  startNext(name: string, host: string): void {
    this.start(name, host, (this.newest.get(name) ?? 0) + INCARNATION_STEP);
  }

  private start(name: string, host: string, incarnation: number): void {
    this.newest.set(name, Math.max(incarnation, this.newest.get(name) ?? 0));
    this.world.cluster.start(name, { host, incarnation });
  }
}
