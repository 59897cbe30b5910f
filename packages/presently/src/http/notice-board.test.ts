/** What a notice with facts of every kind looks like as JSON. */
import { expect, test } from "vitest";
import type { EventStream } from "./event-stream.ts";
import { NoticeBoard } from "./notice-board.ts";

function shown(facts: Readonly<Record<string, unknown>>): unknown {
  const board = new NoticeBoard(() => 0);
  board.post({ type: "listener-error", level: "error", message: "a listener threw an error", ...facts });
  let text = "";
  const stream = { begin: (event: Uint8Array) => (text = Buffer.from(event).toString()) };
  board.add(stream as unknown as EventStream);
  return JSON.parse(/^data: (.*)$/m.exec(text)![1]!).notices[0].facts;
}

test("an error shows its name, code and message, wherever it stands", () => {
  const error = Object.assign(new TypeError("no such field"), { code: "E_FIELD" });
  const seen = { name: "TypeError", message: "no such field", code: "E_FIELD" };
  expect(shown({ error })).toEqual({ error: seen });
  expect(shown({ errors: [error] })).toEqual({ errors: [seen] });
});

test("facts that cannot be sent are left out", () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  expect(shown({ circular })).toEqual({});
  expect(shown({ large: 1n })).toEqual({});
});
