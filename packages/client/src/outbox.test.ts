/** Messages that wait, in virtual time. */
import { expect, test } from "vitest";
import { settled, VirtualClock } from "../../../test/helpers/client-clock.ts";
import { type Message, Outbox } from "./outbox.ts";
import type { Answer } from "./own-meta.ts";

function world({ pendingMax = 3 } = {}) {
  const clock = new VirtualClock();
  const sent: { readonly message: Message; readonly answered: (answer: Answer) => void }[] = [];
  const connection = { isOpen: false };
  const outbox = new Outbox({
    topic: "room",
    pendingMax,
    timeoutMs: 1_000,
    clock,
    canSend: () => connection.isOpen,
    send: (message, answered) => void sent.push({ message, answered }),
  });
  const outcomes: string[] = [];
  const post = (payload: number) => {
    const index = outcomes.push("waits") - 1;
    outbox.post({ event: "n", payload }).then(
      () => {
        outcomes[index] = "accepted";
      },
      ({ code }) => {
        outcomes[index] = code;
      },
    );
  };
  return { clock, sent, connection, outbox, outcomes, post };
}

test("what waits is sent in its order as soon as there is a connection, and answered by the server", async () => {
  const { clock, sent, connection, outbox, outcomes, post } = world();
  for (const n of [1, 2]) post(n);
  await clock.advance(999);
  connection.isOpen = true;
  outbox.flush();
  post(3);
  expect(sent.map(({ message }) => message.payload)).toEqual([1, 2, 3]);
  sent[0]!.answered({ status: "ok" });
  sent[1]!.answered({ status: "error", reason: "no" });
  sent[2]!.answered({ status: "timeout" });
  await settled();
  expect([outcomes, clock.pending]).toEqual([["accepted", "MESSAGE_REFUSED", "TIMED_OUT"], 0]);
});

test("what waited for too long is told so, and is not sent any more", async () => {
  const { clock, sent, connection, outbox, outcomes, post } = world();
  post(1);
  await clock.advance(500);
  post(2);
  await clock.advance(500);
  connection.isOpen = true;
  outbox.flush();
  expect([outcomes, sent.map(({ message }) => message.payload)]).toEqual([["TIMED_OUT", "waits"], [2]]);
});

test("no more messages are without an answer than may be, whether they wait or are on their way", async () => {
  const { sent, connection, outcomes, post } = world({ pendingMax: 2 });
  post(1);
  connection.isOpen = true;
  post(2);
  post(3);
  await settled();
  expect(outcomes).toEqual(["waits", "waits", "LIMIT_REACHED"]);
  sent[0]!.answered({ status: "ok" });
  await settled();
  post(4);
  await settled();
  expect([outcomes[3], sent.map(({ message }) => message.payload)]).toEqual(["waits", [2, 4]]);
});

test("closing tells everybody who waits, and leaves no timer", async () => {
  const { clock, outbox, outcomes, post } = world();
  for (const n of [1, 2]) post(n);
  outbox.close();
  post(3);
  await settled();
  expect([outcomes, clock.pending]).toEqual([["CLOSED", "CLOSED", "CLOSED"], 0]);
});
