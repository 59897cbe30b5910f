/** Streams of a server are read on, whatever is thrown at what comes. */
import { expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { consume } from "./server.ts";

test("what comes after a value that could not be handled is handled", async () => {
  const values = [1, 2, 3];
  const stream = {
    createConsumer: () => ({
      next: async () => ({ value: values.shift(), done: values.length === 0 }),
      kill: () => undefined,
    }),
  };
  const handled: number[] = [];
  const errors: unknown[] = [];
  const fault = new Error("a middleware of the application");
  consume<number>(
    stream,
    (value) => {
      if (value === 1) throw fault;
      handled.push(value);
    },
    (error) => errors.push(error),
  );
  await eventually(() => expect(handled).toEqual([2]));
  expect(errors).toEqual([fault]);
});
