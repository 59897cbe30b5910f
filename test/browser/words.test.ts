import { describe, expect, it } from "vitest";
import { pageModule } from "./page-modules.ts";

const { hueOf, initialsOf } = await pageModule("avatar.js");
const { ago, duration, lasting } = await pageModule("ago.js");
const { describeDevice, deviceKind } = await pageModule("device.js");

describe("avatars", () => {
  it.each([
    ["Ada Lovelace", "AL"],
    ["ada", "A"],
    ["Jean-Luc Picard", "JP"],
    ["first.last", "FL"],
    ["🦊 Fox", "🦊"],
    ["👩‍👩‍👧 family", "👩‍👩‍👧"],
    ["<b>bold</b>", "B"],
    ["Élan", "É"],
    ["李 明", "李明"],
    ["__proto__", "P"],
    ["---", "-"],
    ["?", "?"],
  ])("of %s say %s", (name, initials) => {
    expect(initialsOf(name)).toBe(initials);
  });

  it("have the same colour for the same name, and different ones for most others", () => {
    expect(hueOf("Ada")).toBe(hueOf("Ada"));
    const hues = new Set(Array.from({ length: 200 }, (_, index) => hueOf(`user${index}`)));
    expect(hues.size).toBe(18);
    for (const hue of hues) expect(hue).toBeLessThan(360);
  });
});

describe("durations", () => {
  it.each([
    [-60_000, "now"],
    [4_999, "now"],
    [5_000, "5 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3_599_999, "59 min"],
    [3_600_000, "1 h"],
    [86_399_999, "23 h"],
    [86_400_000, "1 d"],
  ])("of %i ms read %s", (elapsedMs, text) => {
    expect(duration(elapsedMs)).toBe(text);
  });

  it("are past", () => {
    expect([ago(0), ago(12_000)]).toEqual(["just now", "12 s ago"]);
  });

  it("last", () => {
    expect([lasting(4_000), lasting(12_000)]).toEqual(["a moment", "12 s"]);
  });
});

describe("devices", () => {
  const mac =
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15";
  const android =
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0";

  it.each([
    [
      "an iPhone",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
      5,
      "phone · Safari",
    ],
    ["an Android phone", `${android} Mobile Safari/537.36`, 5, "phone · Chrome"],
    ["an Android tablet", `${android} Safari/537.36`, 5, "tablet · Chrome"],
    [
      "a Samsung phone",
      "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
      5,
      "phone · Samsung Internet",
    ],
    ["a Mac", mac, 0, "desktop · Safari"],
    ["an iPad, which says it is a Mac", mac, 5, "tablet · Safari"],
    [
      "Firefox",
      "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
      0,
      "desktop · Firefox",
    ],
    [
      "Edge",
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
      0,
      "desktop · Edge",
    ],
    ["a robot", "curl/8.5.0", 0, "desktop · browser"],
  ])("are told by %s", (_, userAgent, maxTouchPoints, expected) => {
    expect(describeDevice({ userAgent, maxTouchPoints })).toBe(expected);
  });

  it("get an icon, whatever they call themselves", () => {
    expect(["phone", "iPad", "terminal", ""].map(deviceKind)).toEqual([
      "phone",
      "tablet",
      "desktop",
      "desktop",
    ]);
  });
});
