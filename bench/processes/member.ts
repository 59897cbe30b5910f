/** A member of any of the compared systems, in a process of its own: told by messages what to do, answers with figures. */
import { setTimeout as delay } from "node:timers/promises";
import { PEERS } from "../peers/index.ts";
import { type ChangeType, type Member, metaOf, nowMs } from "../peers/member.ts";
import {
  type Answer,
  type OrderName,
  type Orders,
  type Queried,
  READY,
  type Request,
  type Seen,
} from "./member-orders.ts";
import { connections } from "./traffic.ts";

type Carriers = { readonly [Name in OrderName]: (given: never) => unknown };

/** Changes told to a system in one go before its event loop turns: as many as a busy server's sockets might bring. */
const BURST_STEP = 100;

let member: Member;
let people = 0;
let changes: Seen[] = [];
let onChange: () => void = () => undefined;

const carriers: Carriers = {
  async open({ peer, place }: Parameters<Orders["open"]>[0]) {
    const open = await PEERS[peer].load();
    member = await open(place);
    return { address: member.address };
  },
  async seated({ rooms }: Parameters<Orders["seated"]>[0]) {
    await member.seated?.(rooms);
  },
  async watch({ rooms }: Parameters<Orders["watch"]>[0]) {
    await Promise.all(
      rooms.map((room) =>
        member.watch(room, (type, key) => {
          changes.push([type, key, nowMs()]);
          onChange();
        }),
      ),
    );
  },
  async pace({ room, count, pauseMs: [from, to] }: Parameters<Orders["pace"]>[0]) {
    const sent: Seen[] = [];
    const first = people;
    people += count;
    for (const type of changesOf(member))
      for (let index = first; index < first + count; index++) {
        const key = `user ${index}`;
        sent.push([type, key, nowMs()]);
        change(type, room, index);
        await delay(from + Math.random() * (to - from));
      }
    return sent;
  },
  one({ type, room, index }: Parameters<Orders["one"]>[0]) {
    change(type, room, index);
  },
  async burst({ type, rooms, count }: Parameters<Orders["burst"]>[0]) {
    const startedMs = nowMs();
    for (let index = 0; index < count; index++) {
      change(type, rooms[index % rooms.length]!, index);
      if (index % BURST_STEP === BURST_STEP - 1) await new Promise(setImmediate);
    }
    return { startedMs };
  },
  seen: ({ count, timeoutMs }: Parameters<Orders["seen"]>[0]) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => take(), timeoutMs);
      const take = () => {
        clearTimeout(timer);
        onChange = () => undefined;
        resolve(changes);
        changes = [];
      };
      onChange = () => {
        if (changes.length >= count) take();
      };
      onChange();
    }),
  forget() {
    changes = [];
  },
  async fill({ room, count }: Parameters<Orders["fill"]>[0]) {
    const everybody = Array.from({ length: count }, (_, index) => [`user ${index}`, metaOf(index)] as const);
    if (member.fill !== undefined) await member.fill(room, everybody);
    else for (const [key, meta] of everybody) member.join(room, key, meta);
  },
  async query({ what, room, forMs, inFlight }: Parameters<Orders["query"]>[0]): Promise<Queried> {
    const ask = () => (what === "list" ? member.list(room) : member.count!(room));
    let [queries, failures, members] = [0, 0, 0];
    // An answer from local memory is taken as it is: to wait for it would only cost the promise.
    const first = ask();
    const local = typeof first === "number";
    if (!local) await first.catch(() => undefined);
    const startedMs = nowMs();
    const endsMs = startedMs + forMs;
    if (local) {
      do {
        for (let index = 0; index < inFlight; index++) members = ask() as number;
        queries += inFlight;
      } while (nowMs() < endsMs);
    } else {
      const line = async () => {
        do {
          try {
            members = await ask();
            queries++;
          } catch {
            failures++;
          }
        } while (nowMs() < endsMs);
      };
      await Promise.all(Array.from({ length: inFlight }, line));
    }
    return { queries, failures, elapsedMs: nowMs() - startedMs, members };
  },
  async counted({ room, count, timeoutMs }: Parameters<Orders["counted"]>[0]) {
    const endsMs = nowMs() + timeoutMs;
    let [failures, stallMs] = [0, 0];
    for (let turnMs = nowMs(); turnMs < endsMs; ) {
      try {
        const found = member.count === undefined ? await member.list(room) : await member.count(room);
        if (found === count) return { atMs: nowMs(), failures, stallMs };
      } catch {
        failures++; // Some cannot say who is there while they wait for a server that is gone.
      }
      await delay(1);
      const now = nowMs();
      stallMs = Math.max(stallMs, now - turnMs);
      turnMs = now;
    }
    return { failures, stallMs };
  },
  async stop({ handoffMs }: Parameters<Orders["stop"]>[0]) {
    await member.stop!(handoffMs);
  },
  traffic: () => connections().filter(({ localPort }) => localPort !== member.clientPort),
  stall({ forMs }: Parameters<Orders["stall"]>[0]) {
    const endsMs = nowMs() + forMs;
    while (nowMs() < endsMs);
  },
};

process.on("message", async ({ order, number, given }: Partial<Request>) => {
  // Adapters send messages of their own on this channel.
  if (order === undefined) return;
  try {
    answer({ answers: number!, result: await carriers[order](given as never) });
  } catch (error) {
    answer({ answers: number!, error: (error as Error).stack ?? String(error) });
  }
});
process.on("disconnect", () => process.exit());
answer({ answers: READY });

function answer(message: Answer): void {
  // A parent that is gone takes us along by "disconnect", so it need not be heard of twice.
  process.send!(message, () => undefined);
}

/** The kinds of change that the others are told of. */
function changesOf({ update }: Member): ChangeType[] {
  return update === undefined ? ["join", "leave"] : ["join", "update", "leave"];
}

function change(type: ChangeType, room: string, index: number): void {
  const key = `user ${index}`;
  if (type === "join") member.join(room, key, metaOf(index));
  else if (type === "update") member.update!(room, key, metaOf(index, "away"));
  else member.leave(room, key);
}
