/** The demo for the tests of the page, and what they ask of it besides breaking it. */
import { type Demo, startDemo } from "presently/demo";
import { eventually } from "../helpers/eventually.ts";

/** Starts three nodes on free ports, with default options. */
export async function startTestDemo(): Promise<Demo> {
  return startDemo({ ports: "free" });
}

/** What a node says of another one. */
export interface NodeReport {
  readonly node: string;
  readonly status: string;
  readonly linked: boolean;
  readonly agrees: boolean | null;
}

/** What the node `at` says of `about`, of its latest life; undefined when it knows no such node. */
export async function reportOf(demo: Demo, at: string, about: string): Promise<NodeReport | undefined> {
  const response = await fetch(`${demo.node(at).url}/api/cluster`);
  const { replicas } = (await response.json()) as { replicas: NodeReport[] };
  return replicas.findLast(({ node, status }) => node === about && status !== "down");
}

/** Waits until every node runs, is linked with every other, and agrees with it. */
export async function heal(demo: Demo): Promise<void> {
  for (const link of demo.links) link.restore();
  for (const node of demo.nodes) {
    node.resume();
    await node.start();
  }
  for (const at of demo.nodes) {
    for (const about of demo.nodes) {
      if (at !== about) await untilWhole(demo, at.name, about.name);
    }
  }
}

async function untilWhole(demo: Demo, at: string, about: string): Promise<void> {
  await eventually(
    async () => {
      const report = await reportOf(demo, at, about);
      if (!report?.linked || !report.agrees) throw new Error(JSON.stringify(report));
    },
    { what: `${at} being linked with ${about}, and agreeing with it,`, timeoutMs: 30_000 },
  );
}

/** A client that is no browser: present through `node` for as long as it is open. */
export class Client {
  readonly #controller = new AbortController();
  /** Kept, since `fetch` ends a stream whose response was collected as garbage. */
  response: Response | undefined;

  static async open(demo: Demo, node: string, room: string, key: string, meta: object = {}): Promise<Client> {
    const client = new Client();
    const query = new URLSearchParams({ key, meta: JSON.stringify(meta) });
    const topic = encodeURIComponent(`room:${room}`);
    const response = await fetch(`${demo.node(node).url}/api/topics/${topic}/events?${query}`, {
      signal: client.#controller.signal,
    });
    if (!response.ok) throw new Error(`${node} answered ${response.status}: ${await response.text()}`);
    client.response = response;
    return client;
  }

  close(): void {
    this.#controller.abort();
  }
}
