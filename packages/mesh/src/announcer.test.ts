import { describe, expect, test } from "vitest";
import { Announcer } from "./announcer.ts";

/** An announcer, and what was said in which order. */
function setUp() {
  const said: string[] = [];
  const errors: unknown[] = [];
  const announcer = new Announcer((error) => errors.push(error));
  const say = (what: string) => () => void said.push(what);
  return { announcer, said, errors, say };
}

describe("an announcer", () => {
  test("says at once what it may say at once", () => {
    const { announcer, said, say } = setUp();
    announcer.now(say("frame"));
    expect(said).toEqual(["frame"]);
  });

  test("says later what a call of the owner caused, after the owner has returned", async () => {
    const { announcer, said, say } = setUp();
    announcer.now(() => {
      announcer.later(say("down"));
      announcer.now(say("frame"));
      said.push("returned");
    });
    expect(said).toEqual(["returned"]);
    await Promise.resolve();
    expect(said).toEqual(["returned", "down", "frame"]);
  });

  test("keeps the order: nothing overtakes what waits", async () => {
    const { announcer, said, say } = setUp();
    announcer.later(say("up"));
    announcer.now(say("frame"));
    expect(said).toEqual([]);
    await Promise.resolve();
    expect(said).toEqual(["up", "frame"]);
    announcer.now(say("another"));
    expect(said).toEqual(["up", "frame", "another"]);
  });

  test("goes on after a call that threw", async () => {
    const { announcer, said, errors, say } = setUp();
    announcer.now(() => {
      throw new Error("now");
    });
    announcer.later(() => {
      throw new Error("later");
    });
    announcer.later(say("next"));
    await Promise.resolve();
    expect(said).toEqual(["next"]);
    expect(errors).toEqual([new Error("now"), new Error("later")]);
  });

  test("says nothing more once it is silenced", async () => {
    const { announcer, said, say } = setUp();
    announcer.later(say("waiting"));
    announcer.silence();
    announcer.now(say("now"));
    announcer.later(say("later"));
    await Promise.resolve();
    expect(said).toEqual([]);
  });
});
