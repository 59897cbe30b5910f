/** Lines on an output that is full, slow, broken, or gone. */
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { LineOutput, WAITING_BYTES_MAX } from "./standard-output.ts";

class Device {
  text = "";
  /** Bytes that it still takes. */
  room = Number.POSITIVE_INFINITY;
  /** What it says when there is no more room. */
  code = "EAGAIN";
  readonly output = new LineOutput((bytes) => {
    if (this.room === 0) throw Object.assign(new Error(this.code), { code: this.code });
    const taken = Math.min(this.room, bytes.length);
    this.room -= taken;
    this.text += Buffer.from(bytes.subarray(0, taken)).toString();
    return taken;
  });

  write(line: string): void {
    this.output.write(`${line}\n`, (count) => this.output.write(`${count} dropped\n`));
  }
}

const devices: Device[] = [];
function device(): Device {
  const made = new Device();
  devices.push(made);
  return made;
}
/** What still waits would be tried again when this process ends. */
afterEach(() => {
  for (const each of devices.splice(0)) {
    each.room = Number.POSITIVE_INFINITY;
    each.write("the end");
  }
});

describe("a line", () => {
  test("that can be written is there when the call returns", () => {
    const file = device();
    file.write("one");
    expect(file.text).toBe("one\n");
  });

  test("waits for a slow reader, in order and in parts, and none is dropped", async () => {
    const pipe = device();
    pipe.room = 6;
    for (const line of ["one", "two", "three"]) pipe.write(line);
    expect(pipe.text).toBe("one\ntw");
    pipe.room = Number.POSITIVE_INFINITY;
    await eventually(() => expect(pipe.text).toBe("one\ntwo\nthree\n"));
    expect(pipe.output.dropped).toBe(0);
  });

  test("that has no room to wait is dropped and counted, and that is said once there is room", async () => {
    const pipe = device();
    pipe.room = 0;
    const long = "x".repeat(1_000);
    const fitting = Math.floor(WAITING_BYTES_MAX / 1_001);
    for (let index = 0; index < fitting + 7; index++) pipe.write(long);
    expect(pipe.output.dropped).toBe(7);
    pipe.room = Number.POSITIVE_INFINITY;
    await eventually(() => expect(pipe.text).toBe(`${`${long}\n`.repeat(fitting)}7 dropped\n`));
  });

  test.each(["ENOSPC", "EIO", "EFBIG", "EPIPE"])(
    "that fails with %s is dropped and counted, and that is said after the next one",
    (code) => {
      const disk = device();
      disk.code = code;
      disk.write("one");
      disk.room = 0;
      for (const line of ["two", "three"]) disk.write(line);
      expect(disk.output.dropped).toBe(2);
      disk.room = Number.POSITIVE_INFINITY;
      disk.write("four");
      disk.write("five");
      expect(disk.text).toBe("one\nfour\n2 dropped\nfive\n");
    },
  );

  test("that was cut short by a full disk does not run into the next one", () => {
    const disk = device();
    disk.code = "ENOSPC";
    disk.room = 2;
    disk.write("one");
    disk.room = Number.POSITIVE_INFINITY;
    disk.write("two");
    expect(disk.text).toBe("on\ntwo\n1 dropped\n");
  });

  test("about dropped lines that is dropped itself leaves the count to the next one", () => {
    const disk = device();
    disk.code = "ENOSPC";
    disk.room = 0;
    for (let index = 0; index < 3; index++) disk.write("lost");
    disk.room = "four\n".length;
    disk.write("four");
    disk.room = Number.POSITIVE_INFINITY;
    disk.write("five");
    expect(disk.text).toBe("four\nfive\n4 dropped\n");
    expect(disk.output.dropped).toBe(4);
  });

  test("that waits is lost with those after it when the reader goes away, and all are counted", () => {
    const pipe = device();
    pipe.room = 0;
    for (const line of ["one", "two"]) pipe.write(line);
    expect(pipe.output.dropped).toBe(0);
    pipe.code = "EPIPE";
    pipe.write("three");
    expect(pipe.output.dropped).toBe(3);
  });

  test("that waits is tried once more when the process ends, and only then", async () => {
    const before = process.listeners("exit");
    const pipe = device();
    pipe.write("one");
    expect(process.listeners("exit")).toEqual(before);
    pipe.room = 0;
    pipe.write("two");
    const [atExit] = process.listeners("exit").filter((listener) => !before.includes(listener));
    pipe.room = Number.POSITIVE_INFINITY;
    atExit!.call(process, 0);
    expect(pipe.text).toBe("one\ntwo\n");
    expect(process.listeners("exit")).toEqual(before);
  });
});
