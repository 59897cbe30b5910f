/** Every transport that there is, examined by the one suite: the simulator's network, the WebSocket mesh, and NATS. */
import { setTimeout as delay } from "node:timers/promises";
import { Mesh } from "@presently/mesh";
import { nats } from "@presently/nats";
import { nameOf, type ReplicaId } from "@presently/replica";
import {
  type ConformanceNetwork,
  type ConformingTransport,
  type JoinOptions,
  simulatedConformanceNetwork,
  transportConformance,
} from "@presently/testkit";
import { LinkProxy } from "presently/demo";
import { describe, expect, test, vi } from "vitest";
import { NatsServer } from "../helpers/nats.ts";
import { has } from "../helpers/programs.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describe("the simulator's network", () => {
  const cases = transportConformance({
    createNetwork: () => simulatedConformanceNetwork("conformance", { maxBufferedBytes: 262_144 }),
    frameBytesMax: 1_048_576,
    refusesLargerFrames: false,
    authenticates: false,
    maxBufferedBytes: 262_144,
  });
  for (const { name, run } of cases) test(name, run);
});

/** Meshes on loopback; whoever comes later dials all who came before, over links that can be held up. */
class MeshNetwork implements ConformanceNetwork {
  readonly #links: LinkProxy[] = [];
  readonly #meshes: Mesh[] = [];

  join({ cluster, replica, listener, isTrusted }: JoinOptions): ConformingTransport {
    let mesh: Mesh | undefined;
    const closed: ConformingTransport = {
      send: (peer, frame) => mesh?.send(peer, frame),
      congested: (peer) => mesh?.congested(peer) ?? false,
      redial: (peer) => mesh?.redial(peer),
      refuse: (peer, code, reason) => mesh?.refuse(peer, code, reason),
      start: async () => {
        const ports = this.#meshes.map(({ url }) => Number(new URL(url).port));
        const links = await Promise.all(ports.map((targetPort) => LinkProxy.listen({ targetPort })));
        this.#links.push(...links);
        mesh = new Mesh(
          {
            cluster,
            replica,
            secrets: [
              isTrusted ? "a secret that is long enough for everybody" : "another one, of somebody else",
            ],
            peers: links.map(({ port }) => `ws://127.0.0.1:${port}`),
            peerGossip: false,
            silentAfterMs: 600_000,
            frameBytesMax: 262_144,
            maxBufferedBytes: 262_144,
          },
          listener,
        );
        await mesh.listen();
        this.#meshes.push(mesh);
      },
      close: async (options) => await mesh?.close(options),
      bufferedBytes: (peer) => mesh?.links().find((link) => link.peer === peer)?.bufferedBytes ?? 0,
    };
    return closed;
  }

  stall(): void {
    for (const link of this.#links) link.stall();
  }

  resume(): void {
    for (const link of this.#links) link.restore();
  }

  elapse(durationMs: number): Promise<void> {
    return delay(durationMs);
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.close()));
  }
}

describe("the WebSocket mesh", () => {
  const cases = transportConformance({
    createNetwork: () => new MeshNetwork(),
    frameBytesMax: 262_144,
    maxBufferedBytes: 262_144,
  });
  for (const { name, run } of cases) test(name, run);
});

const MAX_PAYLOAD = 262_144;

class NatsNetwork implements ConformanceNetwork {
  readonly #server: NatsServer;

  constructor(server: NatsServer) {
    this.#server = server;
  }

  join({ cluster, replica, listener, isTrusted }: JoinOptions): ConformingTransport {
    const connect = nats({
      servers: [this.#server.url],
      user: "presently",
      pass: isTrusted ? "s3cret" : "a guess",
      maxBufferedBytes: 1_048_576,
      greetIntervalMs: 300,
      returnGraceMs: 300,
    });
    const context = { cluster, replica, note: () => undefined, newerLifeSeen: () => undefined };
    const transport = connect(context, listener);
    const bufferedBytes = (peer: ReplicaId) =>
      transport.links().find((link) => link.replica === peer)?.bufferedBytes ?? 0;
    return Object.assign(transport, { bufferedBytes });
  }

  stall(): void {
    this.#server.signal("SIGSTOP");
  }

  resume(): void {
    this.#server.signal("SIGCONT");
  }

  elapse(durationMs: number): Promise<void> {
    return delay(durationMs);
  }

  async close(): Promise<void> {
    await this.#server.stop();
  }
}

describe.runIf(has("nats-server"))("NATS", () => {
  const config = `max_payload: ${MAX_PAYLOAD}, authorization { user: presently, password: s3cret }`;
  const cases = transportConformance({
    createNetwork: async () => new NatsNetwork(await NatsServer.start(config)),
    frameBytesMax: MAX_PAYLOAD - 100,
    maxBufferedBytes: 1_048_576,
  });
  for (const { name, run } of cases) test(name, run);
});

test("the suite finds a transport that sends everything twice, and one that forgets to say who left", async () => {
  const faulty = (spoil: (transport: ConformingTransport, options: JoinOptions) => ConformingTransport) => {
    const network = simulatedConformanceNetwork("faulty");
    const join = network.join.bind(network);
    network.join = async (options) => spoil(await join(options), options);
    return network;
  };
  const failing = async (createNetwork: () => ConformanceNetwork) => {
    const options = { createNetwork, frameBytesMax: 1_000_000, maxBufferedBytes: 262_144, timeoutMs: 3_000 };
    const names: string[] = [];
    for (const { name, run } of transportConformance({
      ...options,
      refusesLargerFrames: false,
      authenticates: false,
    }))
      await run().catch(() => names.push(name));
    return names;
  };
  const twice = await failing(() =>
    faulty((transport) => ({
      ...transport,
      send: (peer, frame) => {
        transport.send(peer, frame);
        transport.send(peer, frame);
      },
    })),
  );
  expect(twice).toContain("frames of a link arrive in order, once and unchanged, in both directions");
  const mute = await failing(() => {
    const network = simulatedConformanceNetwork("mute");
    const join = network.join.bind(network);
    network.join = (options) => join({ ...options, listener: withoutLeaves(options) });
    return network;
  });
  expect(mute.length).toBeGreaterThan(2);
});

function withoutLeaves({ listener }: JoinOptions): JoinOptions["listener"] {
  return {
    peerUp: (peer) => listener.peerUp(peer),
    peerDown: (peer) => void nameOf(peer),
    unreachable: (peer, reason) => listener.unreachable(peer, reason),
    frame: (peer, frame) => listener.frame(peer, frame),
    drained: (peer) => listener.drained(peer),
  };
}
