/** Listeners are the application's code: what they throw, or reject with, costs a count and a line. */
import { describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { loneReplica, VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";
import { Endpoint, type Notice, type Replica, replicaId, type Transport } from "./index.ts";

const T = "room:lobby";
const fault = new Error("a fault of the application");

/** Each makes one listener of its kind be called once. */
const kinds: Readonly<Record<string, (replica: Replica, listener: () => void) => void>> = {
  watch: (replica, listener) => void replica.watch(T, listener),
  watchCount: (replica, listener) => void replica.watchCount(T, listener),
  onBroadcast: (replica, listener) => {
    replica.onBroadcast("news", listener);
    replica.broadcast("news", 1);
  },
  onMessage: (replica, listener) => {
    replica.messenger.onMessage("mail", listener);
    replica.messenger.send(replica.id, "mail", 1);
  },
  onRequest: (replica, listener) => {
    replica.messenger.onRequest("question", listener);
    replica.messenger.request(replica.id, "question", 1, { timeoutMs: 1_000, now: 0 }, () => undefined);
  },
  onReplica: (replica, listener) => {
    replica.onReplica(listener);
    replica.peerUp(replicaId("b", 1), 0);
  },
  onRemoved: (replica, listener) => {
    const session = replica.session();
    session.onRemoved(listener);
    session.track(T, "ann");
    replica.remove(T, "ann");
  },
};

describe.each(Object.keys(kinds))("a listener of %s", (kind) => {
  const call = (listener: () => void) => {
    const notices: Notice[] = [];
    const replica = loneReplica({}, (notice) => notices.push(notice));
    kinds[kind]!(replica, listener);
    const errors = () => notices.filter(({ type }) => type === "listener-error").map(({ error }) => error);
    return { replica, errors };
  };

  test("that throws is reported", () => {
    const { replica, errors } = call(() => {
      throw fault;
    });
    expect(errors()).toEqual([fault]);
    expect(replica.counters.listenerErrors).toBe(1);
  });

  test("that is async and rejects is reported, and no unhandled rejection", async () => {
    const { replica, errors } = call(async () => {
      throw fault;
    });
    await eventually(() => expect(errors()).toEqual([fault]));
    expect(replica.counters.listenerErrors).toBe(1);
  });
});

test("of several listeners of one removal, the others are told when one throws", () => {
  const replica = loneReplica();
  const session = replica.session();
  const told: string[] = [];
  session.onRemoved(() => {
    throw fault;
  });
  session.onRemoved(({ key }) => told.push(key));
  session.track(T, "ann");
  replica.remove(T, "ann");
  expect(told).toEqual(["ann"]);
});

test("a request is answered when its handler's promise rejects", async () => {
  const cluster = new VirtualCluster(["a", "b"]);
  const [a, b] = [cluster.node("a"), cluster.node("b")];
  cluster.time.advance(1_000);
  b.endpoint.replica.messenger.onRequest("question", async () => {
    throw fault;
  });
  const answers: unknown[] = [];
  a.endpoint.request(b.id, "question", 1, 60_000, (answer) => answers.push(answer));
  await eventually(() => {
    cluster.time.advance(10);
    expect(answers).toMatchObject([{ ok: false, error: { code: "REQUEST_FAILED" } }]);
  });
});

test("a watcher that tracks, untracks and ends its watch before it throws leaves the others what is there", () => {
  const replica = loneReplica();
  const session = replica.session();
  const seen = new Set<string>();
  const end = replica.watch(T, (change) => {
    if (change.type === "state" || change.joins[0]?.key !== "ann") return;
    session.track(T, "bob");
    session.untrack(T, "ann");
    end();
    throw fault;
  });
  replica.watch(T, (change) => {
    if (change.type === "state") return;
    for (const { key } of change.joins) seen.add(key);
    for (const { presence } of change.leaves) seen.delete(presence.key);
  });
  session.track(T, "ann");
  session.track(T, "eve");
  expect([...seen].sort()).toEqual(["bob", "eve"]);
  expect(replica.list(T).map(({ key }) => key)).toEqual(["bob", "eve"]);
});

describe("an endpoint whose onNotice throws or rejects", () => {
  const silent: Transport = {
    send: () => undefined,
    congested: () => false,
    redial: () => undefined,
    refuse: () => undefined,
  };
  const endpoint = (onNotice: (notice: Notice) => void) =>
    new Endpoint({
      replica: { name: "a", incarnation: 1 },
      clock: { now: () => 0, schedule: () => () => undefined },
      transport: () => silent,
      onNotice,
    });

  test("tells watchers every change, though the line about one that threw is lost", () => {
    const { replica } = endpoint(() => {
      throw fault;
    });
    const told: number[] = [];
    replica.watch(T, () => {
      throw fault;
    });
    replica.watch(T, (change) => told.push(change.number));
    const session = replica.session();
    session.track(T, "ann");
    session.track(T, "bob");
    expect(told).toEqual([0, 1, 2]);
    // Three of the watcher, and three of the listener that was to be told.
    expect(replica.counters.listenerErrors).toBe(6);
  });

  test("is no unhandled rejection", async () => {
    const { replica } = endpoint(async () => {
      throw fault;
    });
    replica.watch(T, () => {
      throw fault;
    });
    await eventually(() => expect(replica.counters.listenerErrors).toBe(2));
  });
});
