/** `presently demo`: three nodes on this machine, with pages on which one can break and mend their cluster. */
import { once } from "node:events";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Demo, startDemo } from "../demo/index.ts";
import { standardOutput } from "../standard-output.ts";
import { outliveReader } from "./output.ts";

const NODES_MAX = 9;

interface DemoFlags {
  readonly nodes: number;
  readonly httpPort: number;
  readonly meshPort: number;
  readonly controlPort: number;
  readonly verbose?: true;
}

/** Adds the command `demo` to `program`. It runs until SIGINT or SIGTERM, and leaves no process behind. */
export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .description(
      "run a cluster on this machine, with pages that cut its links, kill its nodes, and show it heal",
    )
    .addOption(
      whole("--nodes <count>", `how many nodes, 1 to ${NODES_MAX}`, { from: 1, to: NODES_MAX, default: 3 }),
    )
    .addOption(
      port("--http-port <port>", "port of the first node's page; the others take the next ones", 4001),
    )
    .addOption(
      port("--mesh-port <port>", "port of the first node's mesh; the others take the next ones", 7001),
    )
    .addOption(port("--control-port <port>", "port of the server behind the buttons of the page", 4000))
    .option("--verbose", "show what the nodes log")
    .addHelpText("after", "\nA port that is taken is replaced by a free one. All of them are on 127.0.0.1.")
    .action(runDemo);
}

async function runDemo(flags: DemoFlags): Promise<void> {
  outliveReader();
  const print = (line: string) => standardOutput().write(`${line}\n`);
  // Listened for before anything is started, so that Ctrl-C during the start leaves nothing behind either. A second one
  // ends this process at once; the nodes see that it is gone, and leave.
  const interruption = Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => once(process, signal)));
  print(`Starting ${flags.nodes} nodes …`);
  const demo = await startDemo({
    nodes: flags.nodes,
    ports: { http: flags.httpPort, mesh: flags.meshPort, control: flags.controlPort },
    log: print,
    ...(flags.verbose && { onNodeOutput: (node: string, line: string) => print(`${node}  ${line}`) }),
  });
  print(banner(demo));
  await interruption;
  print("\nStopping …");
  await demo.stop();
}

function banner({ nodes }: Demo): string {
  const pages = nodes.map(({ name, url }) => `    ${name}  ${url}`);
  return [
    "",
    "  Presently is running: one cluster, and a page at every node.",
    "",
    ...pages,
    "",
    "  Open them side by side and join the same room. Then cut a link or kill a node.",
    "  Ctrl-C stops everything.",
    "",
  ].join("\n");
}

function port(flags: string, description: string, byDefault: number): Option {
  return whole(flags, description, { from: 1, to: 65_535, default: byDefault });
}

function whole(
  flags: string,
  description: string,
  range: { from: number; to: number; default: number },
): Option {
  return new Option(flags, description).default(range.default).argParser((text) => {
    const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= range.from && value <= range.to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${range.from} to ${range.to}.`);
  });
}
