/** What the benchmarks' figures go through before anybody reads them. */
import { describe, expect, it } from "vitest";
import { lineChart } from "../../bench/chart.ts";
import { Seats } from "../../bench/peers/member.ts";
import { bytesBetween } from "../../bench/processes/bytes-between.ts";
import { type Conditions, runSection, withRun } from "../../bench/record.ts";
import { markdownOf, textOf } from "../../bench/report.ts";
import { interleaved, quantile, showNumber, spreadOf } from "../../bench/rounds.ts";

describe("figures", () => {
  it("a quantile is one of the values, and no smaller share of them reaches it", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantile(hundred, 0.5)).toBe(50);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile(hundred, 1)).toBe(100);
    expect(quantile([7], 0.01)).toBe(7);
    expect(quantile([1, 2, 3, 4, 5], 0.5)).toBe(3);
  });

  it("there is no quantile of nothing, nor of a share that is none", () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
    for (const share of [0, 1.01, Number.NaN]) expect(() => quantile([1], share)).toThrow(RangeError);
  });

  it("the spread names the middle, the least and the most, in whatever order they came", () => {
    expect(spreadOf([9, 1, 5])).toEqual({ median: 5, least: 1, most: 9 });
  });

  it("numbers keep three digits", () => {
    const shown = [0, 0.000_123_4, 0.1234, 9.876, 12.34, 123.4, 1_234, 123_456, 1_000_000].map(showNumber);
    expect(shown).toEqual(["0", "0.000123", "0.123", "9.88", "12.3", "123", "1,230", "123,000", "1,000,000"]);
  });

  it("subjects are measured in turn, each first equally often, and the warm-up counts for nothing", async () => {
    const order: string[] = [];
    const results = await interleaved(["a", "b", "c"], 3, (subject, round) => {
      order.push(subject);
      return `${subject}${round}`;
    });
    expect(results).toEqual(
      ["a", "b", "c"].map((subject) => [0, 1, 2].map((round) => `${subject}${round}`).sort()),
    );
    expect(order.join("")).toBe("abc" + "bca" + "cab" + "abc");
  });
});

describe("bytes between processes", () => {
  const connection = (localPort: number, remotePort: number, bytes: number) => ({
    localPort,
    remotePort,
    bytes,
  });

  it("a connection between two of them counts once, though both of its ends tell of it", () => {
    expect(bytesBetween([[connection(1, 2, 100)], [connection(2, 1, 90)]])).toBe(100);
  });

  it("a connection with somebody who was not asked counts, one within a process does not", () => {
    const within = [connection(3, 4, 1_000), connection(4, 3, 1_000)];
    expect(bytesBetween([[connection(1, 6379, 10), ...within], [connection(2, 6379, 20)]])).toBe(30);
  });
});

describe("seats", () => {
  it("a seat is one person's in a room at a time, and anybody's in another", () => {
    const seats = new Seats<string>();
    seats.add("only");
    expect(seats.take("one", "alice")).toBe("only");
    expect(seats.take("other", "bob")).toBe("only");
    expect(() => seats.take("one", "carol")).toThrow("no seat is left");
    expect(seats.giveBack("one", "alice")).toBe("only");
    expect(() => seats.of("one", "alice")).toThrow("has no seat");
    expect(seats.take("one", "carol")).toBe("only");
  });
});

const table = {
  caption: "Bytes | all",
  columns: ["peer", "join"],
  rows: [
    ["a|b", "1"],
    ["c", "1,000"],
  ],
  notes: ["as they come"],
};

describe("tables", () => {
  it("a text table lines up, names to the left and figures to the right", () => {
    expect(textOf(table).split("\n")).toEqual([
      "Bytes | all",
      "",
      "peer   join",
      "────  ─────",
      "a|b       1",
      "c     1,000",
      "· as they come",
    ]);
  });

  it("a bar in a cell does not end the cell", () => {
    expect(markdownOf(table)).toContain("| a\\|b | 1 |");
  });
});

const conditions: Conditions = {
  date: new Date("2026-01-02T03:04:05Z"),
  node: "v20.0.0",
  cores: 2,
  cpu: "Some CPU",
  memoryGiB: 15.6,
  platform: "linux",
  load: 0.123,
  commit: "abc1234",
};
const answer = { question: "bytes", tables: [table], pictures: [], output: "printed", failed: false };

describe("RESULTS.md", () => {
  it("a run says where and when it was made", () => {
    expect(runSection(conditions, [answer])).toContain(
      "2026-01-02 03:04 UTC, Node.js v20.0.0, 2 × Some CPU, 16 GiB, linux, load 0.12 before, commit abc1234.",
    );
  });

  it("a question without tables is shown as it printed, and one that failed says so", () => {
    expect(runSection(conditions, [{ ...answer, tables: [] }])).toContain("```text\nprinted\n```");
    const failed = runSection(conditions, [{ ...answer, failed: true }]);
    expect(failed).toContain("It failed");
    expect(failed).not.toContain("| peer | join |");
  });

  it("the newest run stands first, and writing keeps every earlier one", () => {
    const first = withRun("", "## first");
    const both = withRun(first, "## second");
    expect(both.indexOf("## second")).toBeLessThan(both.indexOf("## first"));
    expect(both.match(/# Results/g)).toHaveLength(1);
    expect(withRun(first, "## second")).toBe(both);
    expect(withRun(both, "## third").match(/^## /gm)).toHaveLength(3);
  });
});

describe("charts", () => {
  const chart = (points: [number, number][], log = false) =>
    lineChart({ title: "a < b", x: { label: "x", log }, y: { label: "y" }, series: [{ name: "s", points }] });

  it("the first value stands at the left edge, the last at the right, whatever the axis", () => {
    for (const log of [false, true]) {
      const svg = chart(
        [
          [1, 0],
          [10, 5],
          [100, 10],
        ],
        log,
      );
      const [, from, to] = /<path d="M([\d.]+) [\d.]+L[\d.]+ [\d.]+L([\d.]+) /.exec(svg)!.map(Number);
      expect(to).toBe(552);
      expect(from).toBeCloseTo(log ? 72 : 72 + 480 / 100, 1);
    }
  });

  it("words are escaped", () => {
    expect(chart([[1, 1]])).toContain("a &lt; b");
  });

  it("nothing to draw, and what a logarithmic axis cannot show, is refused", () => {
    expect(() => chart([])).toThrow(RangeError);
    expect(() => chart([[0, 1]], true)).toThrow(RangeError);
  });
});
