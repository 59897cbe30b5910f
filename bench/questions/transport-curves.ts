/**
 * Mesh or NATS: what does a node send, by how many they are, up to 200? Simulated, in virtual time: what the real replicas
 * hand to their transports is counted, with what each transport adds to it. The figures are the same on every machine.
 *
 *     npm run bench -- transport-curves
 *     SIZES=3,10 npm run bench -- transport-curves
 */
import { nodeNames, SimulatedCluster, type SimulatedProcess } from "@presently/testkit";
import { lineChart } from "../chart.ts";
import { picture, progress, progressDone, report } from "../report.ts";
import { showNumber } from "../rounds.ts";

const SIZES = (process.env.SIZES ?? "3,5,9,20,50,100,200").split(",").map(Number);
const SETTLING_MS = 12_000;
const FOR_MS = 4_000;
/** Changes of each node in a second, of which each is sent to all. */
const LOADS = [0, 1, 10] as const;
/** Above so many nodes, more changes than one a second of each would be simulated for hours. */
const BUSY_SIZE_MAX = 50;

/** What a frame grows by. WebSocket: its header, and half of the time a mask. */
const MESH_FRAME_BYTES = 6;
/** Of NATS: the line of a publication with its subject, and the envelope of `@presently/nats`. */
const NATS_PUBLISHED_BYTES = "PUB presently.YmVuY2g.all 1000\r\n\r\n".length + 13;
const NATS_DIRECT_BYTES = "PUB presently.YmVuY2g.node.bm9kZUAxNzAwMDAwMDAwMDAw 1000\r\n\r\n".length + 21;
/** By which a node asks whether somebody listens at a peer's subject: at 8 of them, four times a second. */
const KNOCK_BYTES =
  "PUB presently.YmVuY2g.node.bm9kZUAxNzAwMDAwMDAwMDAw presently.YmVuY2g.echo.0123456789abcdef.bm9kZUAxNzAwMDAwMDAwMDAw 0\r\n\r\n"
    .length;
const knockBytes = (size: number) => 4 * Math.min(8, size - 1) * KNOCK_BYTES;

interface Sent {
  mesh: number;
  nats: number;
}

/** What all nodes have sent, by what went to whom in one go. */
class Meter {
  readonly sent: Sent = { mesh: 0, nats: 0 };
  private frame: Uint8Array | undefined = undefined;
  private sender: SimulatedProcess | undefined = undefined;
  private copies = 0;

  constructor(cluster: SimulatedCluster) {
    cluster.observe({
      sent: (direction, frame) => {
        const sender = direction.sender.process;
        // One message to several peers is one array, handed to each in turn.
        if (frame !== this.frame || sender !== this.sender) this.close();
        this.frame = frame;
        this.sender = sender;
        this.copies++;
      },
    });
  }

  close(): void {
    const { frame, sender, copies } = this;
    if (frame !== undefined && sender !== undefined) {
      this.sent.mesh += copies * (frame.length + MESH_FRAME_BYTES);
      const toAll = copies > 1 && copies === [...sender.links()].length;
      this.sent.nats += toAll
        ? frame.length + NATS_PUBLISHED_BYTES
        : copies * (frame.length + NATS_DIRECT_BYTES);
    }
    this.frame = undefined;
    this.copies = 0;
  }
}

function measure(size: number): Map<number, Sent> {
  const cluster = new SimulatedCluster(size, { seed: 1 });
  cluster.time.advance(SETTLING_MS);
  const meter = new Meter(cluster);
  const results = new Map<number, Sent>();
  const sessions = nodeNames(size).map((name) => cluster.node(name).endpoint.replica.session());
  for (const changesPerSecond of LOADS) {
    if (changesPerSecond > 1 && size > BUSY_SIZE_MAX) continue;
    progress(`${size} nodes, ${changesPerSecond} changes a second of each`);
    const before = { ...meter.sent };
    const changes = (changesPerSecond * FOR_MS) / 1_000;
    // Nodes do not act in step.
    for (let change = 0; change < changes; change++)
      for (const [index, session] of sessions.entries()) {
        if (change % 2 === 0) session.track("room:lobby", `user ${index}`, { device: "phone" });
        else session.untrack("room:lobby", `user ${index}`);
        cluster.time.advance(FOR_MS / changes / size);
      }
    if (changes === 0) cluster.time.advance(FOR_MS);
    meter.close();
    const perSecond = (bytes: number) => bytes / size / (FOR_MS / 1_000);
    results.set(changesPerSecond, {
      mesh: perSecond(meter.sent.mesh - before.mesh),
      nats: perSecond(meter.sent.nats - before.nats) + knockBytes(size),
    });
  }
  return results;
}

const measured = SIZES.map((size) => [size, measure(size)] as const);
progressDone();

const shown = (value: number | undefined) => (value === undefined ? "–" : showNumber(value));
report({
  caption:
    "Bytes that a node sends in a second, over the mesh and over NATS, while each node makes so many changes a second that all " +
    "are told of. Simulated, default options, one seed; what WebSocket and NATS add to a frame is in it, what TCP adds is not.",
  columns: ["nodes", ...LOADS.flatMap((load) => [`mesh, ${load}/s`, `NATS, ${load}/s`])],
  rows: measured.map(([size, results]) => [
    showNumber(size),
    ...LOADS.flatMap((load) => [shown(results.get(load)?.mesh), shown(results.get(load)?.nats)]),
  ]),
  notes: [
    "What a node gets is the same over both: everybody's changes. NATS sends them out in the nodes' place, which its server pays for.",
    "Idle, NATS costs what the knocks cost by which a crash is noticed: up to 8 peers, four times a second.",
  ],
});
picture(
  "transport-curves",
  "Bytes that a node sends in a second, over the mesh and over NATS, by the size of the cluster",
  lineChart({
    title: "What a node sends: mesh and NATS",
    subtitle: "simulated, each node makes one change a second that all are told of",
    x: { label: "nodes", log: true },
    y: { label: "bytes sent per node and second", log: true },
    series: [
      { name: "mesh", points: measured.map(([size, results]) => [size, results.get(1)!.mesh]) },
      { name: "NATS", points: measured.map(([size, results]) => [size, results.get(1)!.nats]) },
    ],
  }),
);
