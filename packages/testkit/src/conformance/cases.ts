/** What any transport must do, one case each. */
import { type ReplicaId, replicaId } from "@presently/replica";
import { must, type Party, type Seat, same } from "./party.ts";

export type Examination = (party: Party) => Promise<void>;

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** Those that every transport has to pass. */
export const CASES: Readonly<Record<string, Examination>> = {
  async "frames of a link arrive in order, once and unchanged, in both directions"(party) {
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    for (const number of upTo(300)) {
      a.send(b.id, number * 5);
      b.send(a.id, number * 5);
    }
    await party.eventually(
      "all have come",
      () => a.recorder.numbers(b.id).length + b.recorder.numbers(a.id).length >= 600,
    );
    same("what a has heard", a.recorder.numbers(b.id), upTo(300));
    same("what b has heard", b.recorder.numbers(a.id), upTo(300));
  },

  async "a frame of the largest size is carried"(party) {
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    a.send(b.id, party.options.frameBytesMax);
    await party.eventually("it has come", () => b.recorder.numbers(a.id).length === 1);
  },

  async "what is for many reaches each of them once, in order with what is for one"(party) {
    const [a, b, c] = (await party.whole("a", "b", "c")) as [Seat, Seat, Seat];
    const forB: number[] = [];
    const forC: number[] = [];
    for (let round = 0; round < 100; round++) {
      forB.push(a.send(b.id));
      forC.push(a.send(c.id));
      for (const number of [a.sendToMany([b.id, c.id]), a.sendToMany([c.id, b.id])]) {
        forB.push(number);
        forC.push(number);
      }
      forC.push(a.sendToMany([c.id]));
    }
    await party.eventually(
      "all have come",
      () => b.recorder.numbers(a.id).length >= forB.length && c.recorder.numbers(a.id).length >= forC.length,
    );
    same("what b has heard", b.recorder.numbers(a.id), forB);
    same("what c has heard", c.recorder.numbers(a.id), forC);
  },

  async "a frame for somebody who is not there is dropped, and harms nobody"(party) {
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    const nobody = replicaId("nobody", 1);
    a.send(nobody);
    a.refuse(nobody);
    const number = a.sendToMany([b.id, nobody]);
    await party.eventually("the one for somebody has come", () => b.recorder.numbers(a.id).includes(number));
    a.redial(nobody);
    await party.eventually("nobody cannot be reached", () => a.recorder.unreached.has(nobody));
  },

  async "a peer that closes goes down at the others, who got what it had sent before, and cannot be reached"(
    party,
  ) {
    const [a, b, c] = (await party.whole("a", "b", "c")) as [Seat, Seat, Seat];
    for (const _ of upTo(50)) b.send(a.id, 2_000);
    await b.close();
    await party.eventually("it is down", () => !a.recorder.up.has(b.id) && !c.recorder.up.has(b.id));
    same("what a has heard", a.recorder.numbers(b.id), upTo(50));
    a.redial(b.id);
    await party.eventually("it cannot be reached", () => a.recorder.unreached.has(b.id));
    must("the others are still linked", a.recorder.links.get(c.id) === 1 && a.recorder.up.has(c.id));
  },

  async "one that is closed is told nothing, and takes everything without harm"(party) {
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    for (const _ of upTo(20)) b.send(a.id);
    await a.close();
    a.send(b.id);
    a.sendToMany([b.id]);
    a.redial(b.id);
    a.refuse(b.id);
    a.congested(b.id);
    await a.close();
    for (const _ of upTo(20)) b.send(a.id);
    await party.eventually("it is down", () => !b.recorder.up.has(a.id));
    await party.elapse(300);
    same("what b has heard", b.recorder.numbers(a.id), []);
  },

  async "a link that is refused ends for both, is opened again, and carries nothing of what was before"(
    party,
  ) {
    const [a, b, c] = (await party.whole("a", "b", "c")) as [Seat, Seat, Seat];
    for (let round = 1; round <= 3; round++) {
      for (const _ of upTo(20)) {
        a.send(b.id);
        b.send(a.id);
      }
      a.refuse(b.id);
      await party.eventually("both have another link", () =>
        [a.recorder.links.get(b.id), b.recorder.links.get(a.id)].every((links) => links! > round),
      );
      await party.linked(a, b, c);
    }
    const numbers = [a.send(b.id), a.send(b.id)];
    await party.eventually("the new link carries", () => b.recorder.numbers(a.id).includes(numbers[1]!));
    must("the other link has stayed", a.recorder.links.get(c.id) === 1 && c.recorder.links.get(a.id) === 1);
  },

  async "a node that starts again is another peer, and the old one is down"(party) {
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    await b.close();
    const next = await party.join("b", { incarnation: 2 });
    await party.linked(a, next);
    await party.eventually("its earlier life is down", () => !a.recorder.up.has(b.id));
    a.send(b.id);
    const number = a.send(next.id);
    next.send(a.id);
    await party.eventually(
      "both are heard",
      () => next.recorder.numbers(a.id).length + a.recorder.numbers(next.id).length >= 2,
    );
    same("what it has heard", next.recorder.numbers(a.id), [number]);
  },

  async "two clusters on one medium do not hear of each other"(party) {
    const strangers = [
      await party.join("a", { cluster: "other" }),
      await party.join("x", { cluster: "other" }),
    ];
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    await party.linked(...strangers);
    a.sendToMany([b.id]);
    await party.elapse(500);
    const others = (seat: Seat): ReplicaId[] => [...seat.recorder.links.keys()];
    same("whom a knows", others(a), [b.id]);
    same("whom b knows", others(b), [a.id]);
    same("whom x knows", others(strangers[1]!), [strangers[0]!.id]);
    same("what the strangers have heard", strangers[1]!.recorder.heard(b.id), []);
  },

  async "a peer that does not read congests its link until it does, and loses nothing of it"(party) {
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    must("nothing is congested yet", !a.congested(b.id));
    party.network.stall();
    const sent: number[] = [];
    await party.eventually("it is congested", () => {
      for (let count = 0; count < 8 && !a.congested(b.id); count++) sent.push(a.send(b.id, 60_000));
      return a.congested(b.id);
    });
    must("nothing has drained yet", !a.recorder.drains.has(b.id));
    party.network.resume();
    await party.eventually("it has drained", () => a.recorder.drains.has(b.id));
    must("it is not congested any more", !a.congested(b.id));
    must("it was the same link", b.recorder.links.get(a.id) === 1);
    await party.eventually("all has come", () => b.recorder.numbers(a.id).length === sent.length);
  },

  async "what is sent to a peer that does not read takes bounded memory, and its link works when it does"(
    party,
  ) {
    const { maxBufferedBytes } = party.options;
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    party.network.stall();
    // The operating system takes some megabytes, which are not ours to bound.
    const until = 8 * maxBufferedBytes + 32 * 1_024 * 1_024;
    for (let bytes = 0; bytes < until; bytes += 60_000) {
      a.send(b.id, 60_000);
      must("its buffer is bounded", a.bufferedBytes(b.id) <= 5 * maxBufferedBytes);
      if (bytes % 1_200_000 === 0) await party.elapse(1);
    }
    party.network.resume();
    await party.eventually("a link carries again", () => {
      const isUp = a.recorder.up.has(b.id) && b.recorder.up.has(a.id) && !a.congested(b.id);
      const number = isUp ? a.send(b.id) : undefined;
      return b.recorder.numbers(a.id).some((heard) => heard > until / 60_000) && number !== undefined;
    });
  },
};

/** For transports that bound their frames. */
export const OVERSIZE_CASES: Readonly<Record<string, Examination>> = {
  async "a frame that is too large does not arrive, and harms no other link"(party) {
    const [a, b, c] = (await party.whole("a", "b", "c")) as [Seat, Seat, Seat];
    const tooLarge = a.send(b.id, 2 * party.options.frameBytesMax);
    const number = a.send(c.id);
    await party.eventually("the other peer hears", () => c.recorder.numbers(a.id).includes(number));
    await party.eventually("both can talk again", () => {
      if (a.recorder.up.has(b.id) && b.recorder.up.has(a.id)) a.send(b.id);
      return b.recorder.heard(a.id).length > 0;
    });
    must("it has not arrived", !b.recorder.numbers(a.id).includes(tooLarge));
    must("the other link has stayed", c.recorder.links.get(a.id) === 1 && c.recorder.up.has(a.id));
  },
};

/** For transports that know who may take part. */
export const AUTHENTICATION_CASES: Readonly<Record<string, Examination>> = {
  async "who has no right to take part gets no link"(party) {
    const [a, b] = (await party.whole("a", "b")) as [Seat, Seat];
    const intruder = await party.join("m", { isTrusted: false }).catch(() => undefined);
    await party.elapse(700);
    must("nobody has a link with it", a.recorder.links.size === 1 && b.recorder.links.size === 1);
    must("it has no link", (intruder?.recorder.links.size ?? 0) === 0);
    const number = a.send(b.id);
    await party.eventually("the others talk", () => b.recorder.numbers(a.id).includes(number));
  },
};
