/**
 * Model-based tests with fast-check's own `fc.commands`: each command is taken by a whole cluster and by a naive model of
 * it, and the two are compared. Mix in commands of your own, and let fast-check shrink the sequence that fails.
 */
import fc from "fast-check";
import { faults, operations, pauses } from "./arbitraries.ts";
import { ClusterModel } from "./cluster-model.ts";
import { InvariantError } from "./errors.ts";
import { SCENARIO_NETWORK, settle } from "./run.ts";
import { FAULTS, type Fault, type Step } from "./scenario.ts";
import { describeStep, Timeline } from "./timeline.ts";
import { World, type WorldOptions } from "./world.ts";

/** A command on a cluster. Your own may look at everything, and do what they like by `world.step`. */
export type ClusterCommand = fc.Command<ClusterModel, World>;

/** Kinds of faults whose outcome the model can tell: not which of two processes keeps a name that both have. */
export type CommandFault = Exclude<Fault, "clocks" | "moves" | "lies" | "echoes" | "throws">;

const COMMAND_FAULTS = FAULTS.filter(
  (fault): fault is CommandFault => fault !== "clocks" && fault !== "moves",
);

/** One step of a scenario as a command: left out where it makes no sense, and told in words. */
export class StepCommand implements ClusterCommand {
  readonly step: Step;

  constructor(step: Step) {
    this.step = step;
  }

  check(model: Readonly<ClusterModel>): boolean {
    return model.allows(this.step);
  }

  /** @throws {InvariantError} when a promise is broken, or a node does not show of itself what the model says */
  run(model: ClusterModel, world: World): void {
    world.step(this.step);
    model.take(this.step);
    model.checkOwn(world);
  }

  toString(): string {
    return describeStep(this.step);
  }
}

/** What the commands are drawn from. */
export interface CommandOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** Default: all that the model can tell the outcome of. None: nothing goes wrong. */
  readonly faults?: readonly CommandFault[];
}

/** The commands of a cluster, to be handed to `fc.commands`, by themselves or beside others. */
export function clusterCommands(options: CommandOptions = {}): fc.Arbitrary<ClusterCommand>[] {
  const { nodes = 3, faults: kinds = COMMAND_FAULTS } = options;
  const steps: fc.WeightedArbitrary<Step>[] = [
    { weight: 5, arbitrary: operations(nodes) },
    { weight: 3, arbitrary: pauses() },
  ];
  if (nodes > 1 && kinds.length > 0) steps.push({ weight: 3, arbitrary: faults(nodes, kinds) });
  return [fc.oneof(...steps).map((step) => new StepCommand(step))];
}

/** The cluster that commands are run on. */
export interface RunCommandsOptions extends Pick<WorldOptions, "replica" | "network"> {
  /** As was given to `clusterCommands`. Default 3. */
  readonly nodes?: number;
  /** Latencies, clocks, jitter and gossip partners follow from it. Default 0. */
  readonly seed?: number;
}

/**
 * Runs commands on a new cluster and a new model, mends everything, waits until the cluster has come to rest, and compares
 * what every node shows with the model. Cost: some ten milliseconds.
 *
 * @throws {InvariantError} when a promise is broken or the two differ, or whatever a command threw; the message ends with
 * the history in words
 */
export function runCommands(commands: Iterable<ClusterCommand>, options: RunCommandsOptions = {}): void {
  const { nodes = 3, seed = 0, replica, network } = options;
  const model = new ClusterModel(nodes);
  let timeline: Timeline | undefined;
  const world = new World(
    { seed, nodes, logSizeMax: 8 },
    {
      ...(replica && { replica }),
      network: { ...SCENARIO_NETWORK, ...network },
      observers: (cluster) => {
        timeline = new Timeline(cluster);
        return [timeline];
      },
    },
  );
  try {
    fc.modelRun(() => ({ model, real: world }), told(commands, timeline!));
    settle(world);
    model.mend();
    model.checkAll(world);
  } catch (error) {
    timeline?.failed(error);
    const history = `\n\n${timeline}`;
    if (!(error instanceof InvariantError))
      throw new Error(`${error instanceof Error ? error.message : String(error)}${history}`, {
        cause: error,
      });
    const { invariant, message } = error;
    throw new InvariantError(invariant, message.slice(invariant.length + 2) + history, { cause: error });
  }
}

/** The same commands, each telling what it is about to do. */
function* told(commands: Iterable<ClusterCommand>, timeline: Timeline): Iterable<ClusterCommand> {
  let index = 0;
  for (const command of commands) {
    yield {
      check: (model) => command.check(model),
      run: (model, world) => {
        timeline.act(index++, command.toString());
        command.run(model, world);
      },
      toString: () => command.toString(),
    };
  }
}
