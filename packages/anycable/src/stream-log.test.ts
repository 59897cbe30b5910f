import { expect, test } from "vitest";
import { newEpoch, StreamLog, type StreamMessage } from "./stream-log.ts";

const options = { messagesMax: 3, ageMaxMs: 1_000 };

function message(offset: number, rest: Partial<StreamMessage> = {}): StreamMessage {
  const position = { epoch: "2.a", offset };
  const id = `${rest.position?.epoch ?? "2.a"}/${rest.position?.offset ?? offset}`;
  return {
    stream: "s",
    data: "{}",
    id,
    at: offset * 100,
    except: undefined,
    position,
    after: undefined,
    ...rest,
  };
}

const offsets = (messages: readonly StreamMessage[] | undefined) =>
  messages?.map(({ position }) => position.offset);

test("keeps as many messages as it may, and honours the place before the first of them", () => {
  const log = new StreamLog(options);
  for (let offset = 1; offset <= 5; offset++) expect(log.append(message(offset))).toBe("kept");
  expect(offsets(log.after({ epoch: "2.a", offset: 2 }))).toEqual([3, 4, 5]);
  expect(offsets(log.after({ epoch: "2.a", offset: 5 }))).toEqual([]);
  for (const offset of [1, 0, 6, -1]) expect(log.after({ epoch: "2.a", offset })).toBeUndefined();
  expect(log.after({ epoch: "1.a", offset: 4 })).toBeUndefined();
  expect(log.bytes).toBe(6);
});

test("forgets by age, but not where it was", () => {
  const log = new StreamLog(options);
  for (let offset = 1; offset <= 3; offset++) log.append(message(offset));
  log.trim(1_150);
  expect(offsets(log.after({ epoch: "2.a", offset: 1 }))).toEqual([2, 3]);
  log.trim(9_999);
  expect(log.bytes).toBe(0);
  expect(log.after({ epoch: "2.a", offset: 2 })).toBeUndefined();
  expect(offsets(log.after({ epoch: "2.a", offset: 3 }))).toEqual([]);
  expect(log.append(message(4))).toBe("kept");
});

test("begins anew where something is missing, and with an epoch that follows something else", () => {
  const log = new StreamLog(options);
  log.append(message(1));
  expect(log.append(message(3))).toBe("restarted");
  expect(log.after({ epoch: "2.a", offset: 1 })).toBeUndefined();
  expect(offsets(log.after({ epoch: "2.a", offset: 2 }))).toEqual([3]);
  const next = { position: { epoch: "3.b", offset: 1 } };
  expect(log.append(message(4, { ...next, after: { epoch: "2.a", offset: 2 } }))).toBe("restarted");
});

test("keeps what stands before an epoch that follows it, and nothing of an earlier one that comes later", () => {
  const log = new StreamLog(options);
  log.append(message(1));
  const after = { epoch: "2.a", offset: 1 };
  expect(log.append(message(4, { position: { epoch: "3.b", offset: 1 }, after }))).toBe("kept");
  expect(offsets(log.after({ epoch: "2.a", offset: 1 }))).toEqual([1]);
  expect(log.append(message(2))).toBe("stale");
  expect(log.append(message(4, { position: { epoch: "3.b", offset: 1 }, after }))).toBe("known");
});

test("takes over what another node has, and the place of what it had itself", () => {
  const theirs = new StreamLog(options);
  for (let offset = 1; offset <= 3; offset++) theirs.append(message(offset));
  const log = new StreamLog(options);
  const { base, messages } = theirs.excerpt(1_000);
  log.adopt(base, messages);
  expect(log.tail).toEqual({ epoch: "2.a", offset: 3 });
  expect(offsets(log.after({ epoch: "2.a", offset: 1 }))).toEqual([2, 3]);
  const few = theirs.excerpt(310);
  expect(offsets(few.messages)).toEqual([3]);
  log.adopt(few.base, few.messages);
  expect(offsets(log.after({ epoch: "2.a", offset: 1 }))).toEqual([2, 3]);
});

test("gives what was numbered since a second", () => {
  const log = new StreamLog({ messagesMax: 10, ageMaxMs: 100_000 });
  for (let offset = 1; offset <= 3; offset++) log.append(message(offset, { at: offset * 1_000 }));
  expect(offsets(log.since(2))).toEqual([2, 3]);
});

test("a new epoch is later than the one before, whatever the clock says", () => {
  const first = newEpoch(undefined, 5_000, "x");
  const second = newEpoch(first, 10, "a");
  const log = new StreamLog(options);
  log.append(message(1, { position: { epoch: first, offset: 1 } }));
  expect(
    log.append(message(2, { position: { epoch: second, offset: 1 }, after: { epoch: first, offset: 1 } })),
  ).toBe("kept");
});
