/** Frames on open links: order, bounds, farewells, and what the owner of a mesh may do meanwhile. */
import { ProtocolError } from "@presently/replica";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { numbered, numberIn, type TestMesh, TestMeshes } from "../test/meshes.ts";
import { Wire } from "../test/wire.ts";
import type { MeshOptions } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

const meshes = new TestMeshes();
const wires: Wire[] = [];

afterEach(async () => {
  const broken = await meshes.close();
  await Promise.all(wires.splice(0).map((wire) => wire.close()));
  expect(broken).toEqual([]);
});

/** Two linked meshes; b dialled a, over a wire that can be frozen. */
async function pair(options: Partial<MeshOptions> = {}): Promise<{ a: TestMesh; b: TestMesh; wire: Wire }> {
  const a = await meshes.start("a", { peerGossip: false, ...options });
  const wire = await Wire.to(a.mesh.url);
  wires.push(wire);
  const b = await meshes.start("b", { peerGossip: false, peers: [wire.url], ...options });
  await eventually(() => expect([...a.listener.up, ...b.listener.up]).toEqual([b.id, a.id]));
  return { a, b, wire };
}

const numbersOf = ({ listener }: TestMesh) => listener.frames.map(({ frame }) => numberIn(frame));
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("frames", () => {
  test("arrive in order, once, whole, and both ends count them alike", async () => {
    const { a, b } = await pair();
    for (const number of upTo(500)) {
      a.mesh.send(b.id, numbered(number, 6 + number * 20));
      b.mesh.send(a.id, numbered(number, 6 + number * 20));
    }
    await eventually(() => expect([numbersOf(a), numbersOf(b)]).toEqual([upTo(500), upTo(500)]));
    expect(a.listener.frames[77]!.frame).toHaveLength(6 + 77 * 20);
    const [atA] = a.mesh.links();
    const [atB] = b.mesh.links();
    expect(atA).toMatchObject({ framesSent: 500, framesReceived: 500, bufferedBytes: 0 });
    expect(atA!.bytesSent).toBe(atB!.bytesReceived);
  });

  test("may share their bytes between peers, which sending leaves as they are", async () => {
    const { a, b } = await pair();
    const frame = numbered(7, 1000);
    const before = Uint8Array.from(frame);
    a.mesh.send(b.id, frame);
    b.mesh.send(a.id, frame);
    await eventually(() => expect([...numbersOf(a), ...numbersOf(b)]).toEqual([7, 7]));
    expect(frame).toEqual(before);
  });

  test("for a peer that is not up are dropped", async () => {
    const { a } = await pair();
    expect(() => a.mesh.send("nobody@1" as never, numbered(1))).not.toThrow();
    expect(a.mesh.congested("nobody@1" as never)).toBe(false);
  });
});

describe("a peer that does not read", () => {
  test("is congested above the bound, and drained once when it reads again", async () => {
    const { a, b, wire } = await pair({ maxBufferedBytes: 1024 * 1024, silentAfterMs: 600_000 });
    expect(b.mesh.congested(a.id)).toBe(false);
    wire.freeze();
    // The operating system takes some megabytes before anything is left to us to buffer.
    let sent = 0;
    await eventually(
      () => {
        for (let count = 0; count < 4 && !b.mesh.congested(a.id); count += 1, sent += 1) {
          b.mesh.send(a.id, numbered(sent, 256 * 1024));
        }
        expect(b.mesh.congested(a.id)).toBe(true);
      },
      { intervalMs: 5 },
    );
    expect(b.mesh.links()[0]!.bufferedBytes).toBeGreaterThan(1024 * 1024);
    expect(b.listener.events).toEqual([`peerUp ${a.id}`]);
    // What is sent all the same is sent.
    b.mesh.send(a.id, numbered(sent));
    wire.thaw();
    await eventually(() => expect(numbersOf(a)).toEqual(upTo(sent + 1)));
    await eventually(() => expect(b.listener.events).toEqual([`peerUp ${a.id}`, `drained ${a.id}`]));
    expect(b.mesh.congested(a.id)).toBe(false);
  });

  test("loses its link at four times the bound, from inside whatever the owner does", async () => {
    const { a, b, wire } = await pair({ maxBufferedBytes: 1024 * 1024, silentAfterMs: 600_000 });
    wire.freeze();
    await eventually(
      () => {
        for (let count = 0; count < 8; count += 1) b.mesh.send(a.id, numbered(0, 512 * 1024));
        expect(b.mesh.refused).toEqual({ SLOW: 1 });
      },
      { intervalMs: 5 },
    );
    await eventually(() =>
      expect(b.listener.events.slice(0, 2)).toEqual([`peerUp ${a.id}`, `peerDown ${a.id}`]),
    );
    expect(b.notices.find((notice) => notice.code === "SLOW")?.message).toContain("maxBufferedBytes");
  });
});

describe("a mesh that closes", () => {
  test("lets out what is buffered, and says that it goes", async () => {
    const { a, b } = await pair();
    for (const number of upTo(12)) b.mesh.send(a.id, numbered(number, 1024 * 1024));
    expect(b.mesh.links()[0]!.bufferedBytes).toBeGreaterThan(4 * 1024 * 1024);
    await b.mesh.close({ drainMs: 20_000 });
    await eventually(() => expect(numbersOf(a)).toEqual(upTo(12)));
    await eventually(() => expect(a.listener.up.size).toBe(0));
    expect(a.notices).toContainEqual(
      expect.objectContaining({ type: "unlinked", code: "CLOSING", reason: "b@1 stops", by: "peer" }),
    );
    expect(b.listener.events).toEqual([`peerUp ${a.id}`]);
    expect(b.mesh.links()).toEqual([]);
  });

  test("does not wait longer than it may for a peer that does not read", async () => {
    const { a, b, wire } = await pair({ silentAfterMs: 600_000, maxBufferedBytes: 64 * 1024 * 1024 });
    wire.freeze();
    for (const number of upTo(40)) b.mesh.send(a.id, numbered(number, 1024 * 1024));
    await b.mesh.close({ drainMs: 50 });
    expect(b.mesh.links()).toEqual([]);
  });

  test("can be closed again, before it listened, and while it begins to listen", async () => {
    const a = meshes.make("a");
    await a.mesh.close();
    await a.mesh.close();
    await expect(a.mesh.listen()).rejects.toMatchObject({ code: "CLOSED" });
    const b = meshes.make("b");
    const listening = expect(b.mesh.listen()).rejects.toMatchObject({ code: "CLOSED" });
    await b.mesh.close();
    await listening;
  });

  test("closes connections that are not links yet", async () => {
    const a = await meshes.start("a");
    const nowhere = await Wire.open();
    wires.push(nowhere);
    const b = await meshes.start("b", { peers: [nowhere.url], handshakeTimeoutMs: 600_000 });
    await eventually(() => expect(nowhere.waiting).toBe(1));
    await b.mesh.close({ drainMs: 10 });
    await eventually(() => expect(nowhere.waiting).toBe(0));
    await a.mesh.close({ drainMs: 10 });
  });
});

describe("the owner", () => {
  test("that finds a frame wrong has the link closed with its code, and keeps its process", async () => {
    const { a, b } = await pair();
    a.listener.onCall = (call) => {
      if (call === "frame") throw new ProtocolError("DELTA_GAP", "the delta starts nowhere");
    };
    b.mesh.send(a.id, numbered(1));
    b.mesh.send(a.id, numbered(2));
    await eventually(() => expect(a.mesh.refused).toEqual({ DELTA_GAP: 1 }));
    await eventually(() => expect(b.listener.up.size).toBe(0));
    expect(b.notices).toContainEqual(
      expect.objectContaining({ code: "DELTA_GAP", reason: "the delta starts nowhere", by: "peer" }),
    );
    // The second frame was nobody's any more.
    expect(numbersOf(a)).toEqual([1]);
  });

  test("that fails for reasons of its own is told so, and the link stays", async () => {
    const errors: unknown[] = [];
    const { a, b } = await pair({ onError: (error) => errors.push(error) });
    const failure = new Error("the disk is full");
    a.listener.onCall = (call) => {
      if (call === "frame" && errors.length === 0) throw failure;
    };
    b.mesh.send(a.id, numbered(1));
    await eventually(() => expect(errors).toEqual([failure]));
    b.mesh.send(a.id, numbered(2));
    await eventually(() => expect(numbersOf(a)).toEqual([1, 2]));
    expect(a.mesh.refused).toEqual({});
  });

  test("may do anything from inside any call, and is never called meanwhile", async () => {
    // The recording listener notes calls that overlap; afterEach looks at its notes.
    const { a, b } = await pair({ dialMaxMs: 10 });
    let refusals = 0;
    b.listener.onCall = (call, peer) => {
      b.mesh.send(peer, numbered(1));
      b.mesh.redial(peer);
      if (call === "frame" && refusals < 5) {
        refusals += 1;
        b.mesh.refuse(peer, "TEST", "from inside");
        b.mesh.send(peer, numbered(2));
      }
    };
    a.listener.onCall = (call, peer) => {
      if (call === "peerUp") for (let count = 0; count < 3; count += 1) a.mesh.send(peer, numbered(count));
    };
    a.mesh.send(b.id, numbered(0));
    await eventually(() => expect(refusals).toBe(5));
    await eventually(() => expect([...a.listener.up, ...b.listener.up]).toEqual([b.id, a.id]));
  });

  test("that refuses a peer is rid of it for a while, and hears nothing more of that link", async () => {
    const { a, b } = await pair({ dialMaxMs: 300 });
    a.mesh.refuse(b.id, "BAD_DIGEST", "the digest names the future");
    expect(a.mesh.links()).toEqual([]);
    b.mesh.redial(a.id);
    await eventually(() => expect(b.listener.up.size).toBe(0));
    expect(b.notices).toContainEqual(
      expect.objectContaining({ code: "BAD_DIGEST", reason: "the digest names the future", level: "warn" }),
    );
    await eventually(() => expect([...a.listener.up, ...b.listener.up]).toEqual([b.id, a.id]));
  });
});
