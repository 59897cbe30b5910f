/** Three servers in one process, each with a node; every link between two of them goes through a proxy that can hold it up. */
import type { NodeOptions, PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";

const secret = "a secret that only these tests share";

interface Server {
  readonly node: PresentlyNode;
  stop(): Promise<void>;
}

export class LinkedServers<S extends Server> {
  readonly #servers: S[] = [];
  readonly #links: LinkProxy[] = [];

  /** @param start starts one server, with these options for its node */
  static async start<S extends Server>(
    start: (nodeOptions: NodeOptions) => Promise<S>,
  ): Promise<LinkedServers<S>> {
    const linked = new LinkedServers<S>();
    for (const name of ["a", "b", "c"]) await linked.#add(name, start);
    await Promise.all(linked.#servers.map(({ node }) => node.whenReady()));
    return linked;
  }

  async #add(name: string, start: (nodeOptions: NodeOptions) => Promise<S>): Promise<void> {
    const links = await Promise.all(
      this.#servers.map(({ node }) => LinkProxy.listen({ targetPort: Number(new URL(node.meshUrl!).port) })),
    );
    this.#links.push(...links);
    const peers = links.map(({ port }) => `ws://127.0.0.1:${port}`);
    const mesh = { port: 0, peers, peerGossip: false };
    this.#servers.push(await start({ name, cluster: "views", logLevel: "silent", secret, mesh }));
  }

  get count(): number {
    return this.#servers.length;
  }

  get links(): number {
    return this.#links.length;
  }

  at(index: number): S {
    return this.#servers[index]!;
  }

  stall(link: number): void {
    this.#links[link]!.stall();
  }

  flow(link: number): void {
    this.#links[link]!.restore();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
    await Promise.all(this.#links.map((proxy) => proxy.close()));
  }
}
