/** An application that embeds a replica, as far as fuzzing needs to know it: how it starts, what can be done to it, what must hold. */
import type { Replica } from "@presently/replica";
import fc from "fast-check";
import type { Step } from "./scenario.ts";

/** Where an instance of the application runs. */
export interface ApplicationNode {
  readonly name: string;
  readonly replica: Replica;
}

/** Something that users do. */
export interface Operation<App> {
  /** What is handed to `run`; plain JSON, so that a failing history can be written down. */
  readonly input: fc.Arbitrary<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: what `input` makes; `operation` checks that the two fit.
  run(app: App, input: any): void;
}

/** The code under test, once per node: how it starts, what users can do to it, and what must hold always and after healing. */
export interface Application<App> {
  /** Topics whose changes are checked, and told in a timeline. Default none. */
  readonly topics?: readonly string[];
  /** Makes the instance of a node that starts, before anything reaches it. Sees a node again after a crash as a new one. */
  start(node: ApplicationNode): App;
  /** By name; at least one. What one throws is a failure. */
  readonly operations: Readonly<Record<string, Operation<App>>>;
  /** Throws unless what must hold at any time holds at this node. Runs after every step and every change from a peer. */
  always?(app: App, node: ApplicationNode): void;
  /** Throws unless what must hold in a cluster that has healed and come to rest holds. By name of the node. */
  healed?(apps: ReadonlyMap<string, App>): void;
}

/** An operation, its input and what it does with it checked against each other. */
export function operation<App, Input>(
  input: fc.Arbitrary<Input>,
  run: (app: App, input: Input) => void,
): Operation<App> {
  return { input, run };
}

/** Steps that operate an application on so many nodes. */
export function applicationSteps(
  { operations }: { readonly operations: Readonly<Record<string, Pick<Operation<unknown>, "input">>> },
  nodes: number,
): fc.Arbitrary<Step> {
  const steps = Object.entries(operations).map(([name, { input }]) =>
    fc.record({
      do: fc.constant("app" as const),
      node: fc.nat(nodes - 1),
      operation: fc.constant(name),
      input,
    }),
  );
  return fc.oneof(...steps);
}
