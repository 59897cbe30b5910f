import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Frame } from "./frame.ts";
import { resolveLimits } from "./limits.ts";
import { LongPollSession, type Poll, type PollAnswer } from "./long-poll-session.ts";

/** A client's poll, whose answer stays unread until the test says what became of it. */
class FakePoll implements Poll {
  answered: PollAnswer | undefined;
  aborted = false;
  #done: ((arrived: boolean) => void) | undefined;

  answer(answer: PollAnswer, done: (arrived: boolean) => void): void {
    this.answered = answer;
    this.#done = done;
  }

  abort(): void {
    this.aborted = true;
    this.arrive(false);
  }

  arrive(arrived = true): void {
    this.#done?.(arrived);
    this.#done = undefined;
  }

  get messages(): readonly string[] | undefined {
    return this.answered?.messages;
  }
}

let session: LongPollSession;
beforeEach(() => {
  vi.useFakeTimers();
  session = new LongPollSession(resolveLimits(), () => undefined);
});
afterEach(() => {
  session.close();
  vi.useRealTimers();
});

function poll(): FakePoll {
  const asked = new FakePoll();
  session.listen(asked);
  return asked;
}

test("a client that polls again and again without reading holds one answer: the one before is cut off, and given again", () => {
  session.send(new Frame("one"));
  const first = poll();
  expect(first.messages).toEqual(["one"]);
  session.send(new Frame("two"));
  const second = poll();
  expect(first.aborted).toBe(true);
  expect(second.messages).toEqual(["one", "two"]);
  session.send(new Frame("three"));
  const third = poll();
  expect(second.aborted).toBe(true);
  expect(third.messages).toEqual(["one", "two", "three"]);
});

test("an answer that was read is not cut off, and not given again", () => {
  session.send(new Frame("one"));
  const first = poll();
  first.arrive();
  const second = poll();
  expect(first.aborted).toBe(false);
  expect(second.answered).toBeUndefined();
  session.send(new Frame("two"));
  vi.runOnlyPendingTimers();
  expect(second.messages).toEqual(["two"]);
});

test("an answer that breaks off goes to the poll that waits", () => {
  session.send(new Frame("one"));
  const first = poll();
  const waiting = poll();
  expect([first.aborted, waiting.messages]).toEqual([true, ["one"]]);
  waiting.arrive(false);
  const last = poll();
  expect(last.messages).toEqual(["one"]);
});

test("the last answer of a session has a while to be read, and is cut off then", () => {
  session.send(new Frame("one"));
  const last = poll();
  session.close();
  expect(last.aborted).toBe(false);
  vi.advanceTimersByTime(2_000);
  expect(last.aborted).toBe(true);
});

test("the requests under way count together, until each is over", () => {
  const { longPollBodyBytesMax: most } = resolveLimits();
  expect(session.takeIn(most)).toBe(true);
  expect(session.takeIn(1)).toBe(false);
  session.takenIn(1);
  session.takenIn(most);
  expect(session.takeIn(most)).toBe(true);
});
