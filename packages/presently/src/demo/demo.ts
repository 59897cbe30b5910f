/**
 * Three nodes (or more) as processes of this machine, every path between them through a proxy, and a control server
 * with which the page cuts links and kills nodes, so that one can watch the cluster heal.
 */
import { randomBytes } from "node:crypto";
import { ControlServer } from "./control-server.ts";
import { UnknownPartError } from "./errors.ts";
import { Link, type LinkEnd } from "./link.ts";
import { NodeProcess, type NodeProcessState } from "./node-process.ts";
import { phoenixIsInstalled } from "./phoenix.ts";
import { PortChooser } from "./ports.ts";

export interface DemoOptions {
  /** How many nodes; default 3. They are named `n1`, `n2` … */
  readonly nodes?: number;
  /**
   * The first port of each kind; the following nodes take the following ones, and a port that is taken is replaced by a
   * free one. Default: mesh 7001, http 4001, control 4000. `"free"`: any free ports at all.
   */
  readonly ports?: { readonly mesh?: number; readonly http?: number; readonly control?: number } | "free";
  /**
   * Whether the nodes serve clients of phoenix.js at `/socket`, of which their pages then are. Default: if the package
   * `@presently/phoenix` is installed.
   */
  readonly phoenix?: boolean;
  /** More options for every `presently start`, for example `["--down-after-ms", "2000"]`. */
  readonly nodeArguments?: readonly string[];
  /** Told, line by line, what happens to the nodes. Default: nobody. */
  readonly log?: (line: string) => void;
  /** Told every line that a node prints. Default: nobody; the last lines of a node that crashes go to `log` anyway. */
  readonly onNodeOutput?: (node: string, line: string) => void;
}

/** What the control server tells the page. */
export interface DemoState {
  readonly nodes: readonly {
    readonly name: string;
    readonly url: string;
    readonly state: NodeProcessState;
  }[];
  readonly links: readonly { readonly a: string; readonly b: string; readonly cut: boolean }[];
}

export interface Demo {
  readonly nodes: readonly NodeProcess[];
  readonly links: readonly Link[];
  /** Where the control server answers. */
  readonly controlUrl: string;
  /** @throws {UnknownPartError} */
  node(name: string): NodeProcess;
  /** The link between two nodes, in either order. @throws {UnknownPartError} */
  link(a: string, b: string): Link;
  state(): DemoState;
  /** Stops every node gracefully, then all else; settles when every process is gone. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the nodes and settles when all of them answer HTTP. On failure nothing is left behind.
 *
 * @throws {NodeStartError} when a node does not start
 */
export async function startDemo(options: DemoOptions = {}): Promise<Demo> {
  const supervisor = new Supervisor(options);
  try {
    await supervisor.start();
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  return supervisor;
}

const DEFAULT_PORTS = { mesh: 7001, http: 4001, control: 4000 };

interface NodeEnd extends LinkEnd {
  readonly httpPort: number;
}

class Supervisor implements Demo {
  nodes: readonly NodeProcess[] = [];
  links: readonly Link[] = [];
  readonly #options: DemoOptions;
  readonly #log: (line: string) => void;
  readonly #secret = randomBytes(32).toString("hex");
  readonly #control: ControlServer;
  #stopping: Promise<void> | undefined;

  constructor(options: DemoOptions) {
    this.#options = options;
    this.#log = options.log ?? (() => undefined);
    this.#control = new ControlServer(this, this.#log);
  }

  get controlUrl(): string {
    return this.#control.url;
  }

  async start(): Promise<void> {
    const { nodes: count = 3, ports = {} } = this.#options;
    const first = ports === "free" ? undefined : { ...DEFAULT_PORTS, ...ports };
    const chooser = new PortChooser();
    const ends: NodeEnd[] = [];
    for (let index = 0; index < count; index++) {
      ends.push({
        name: `n${index + 1}`,
        meshPort: await chooser.choose(first && first.mesh + index),
        httpPort: await chooser.choose(first && first.http + index),
      });
    }
    this.links = await Promise.all(
      ends.flatMap((a, index) => ends.slice(index + 1).map((b) => Link.open(a, b))),
    );
    await this.#control.listen(await chooser.choose(first?.control));
    this.nodes = ends.map((end) => this.#process(end));
    await Promise.all(this.nodes.map((node) => node.start()));
  }

  #process({ name, meshPort, httpPort }: NodeEnd): NodeProcess {
    const peers = this.links.filter((link) => link.ends.includes(name)).map((link) => link.peerUrl(name));
    return new NodeProcess({
      name,
      httpPort,
      arguments: [
        ...["start", "--name", name, "--cluster", "demo"],
        ...["--mesh", `127.0.0.1:${meshPort}`, "--http", `127.0.0.1:${httpPort}`],
        // Nodes that told each other their addresses would go around the proxies.
        "--no-peer-gossip",
        ...peers.flatMap((url) => ["--peer", url]),
        ...((this.#options.phoenix ?? phoenixIsInstalled()) ? ["--phoenix", "/socket"] : []),
        ...(this.#options.nodeArguments ?? []),
      ],
      environment: { PRESENTLY_SECRET: this.#secret, PRESENTLY_DEMO_CONTROL: this.controlUrl },
      onOutput: (line) => this.#options.onNodeOutput?.(name, line),
      onCrash: (explanation) => this.#log(`${name} ${explanation}`),
    });
  }

  node(name: string): NodeProcess {
    const node = this.nodes.find((each) => each.name === name);
    if (node === undefined) {
      throw new UnknownPartError(
        "node",
        name,
        this.nodes.map((each) => each.name),
      );
    }
    return node;
  }

  link(a: string, b: string): Link {
    const link = this.links.find((each) => each.joins(a, b));
    if (link === undefined) {
      throw new UnknownPartError(
        "link",
        `${a}–${b}`,
        this.links.map((each) => each.ends.join("–")),
      );
    }
    return link;
  }

  state(): DemoState {
    return {
      nodes: this.nodes.map(({ name, url, state }) => ({ name, url, state })),
      links: this.links.map(({ ends: [a, b], isCut }) => ({ a, b, cut: isCut })),
    };
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    await this.#control.close();
    await Promise.all(this.nodes.map((node) => node.close()));
    await Promise.all(this.links.map((link) => link.close()));
  }
}
