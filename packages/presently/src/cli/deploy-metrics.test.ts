/** The dashboard, the alert rules and the page on metrics: do they speak of what a node really serves? */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { createNode, type PresentlyNode } from "../node.ts";

const folder = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, folder), "utf8");

/** Of each metric that is served: the labels of its series. */
const served = new Map<string, Set<string>>();
/** Names as they stand behind `# HELP`. */
const helped = new Set<string>();
const nodes: PresentlyNode[] = [];

async function start(name: string, secret: string, peers: string[] = []): Promise<PresentlyNode> {
  const mesh = { port: 0, peers };
  const node = await createNode({ name, secret, mesh, http: { port: 0 }, logLevel: "silent" });
  nodes.push(node);
  return node;
}

beforeAll(async () => {
  const a = await start("a", "one");
  await start("b", "one", [a.meshUrl!]);
  await start("stranger", "another", [a.meshUrl!]);
  await eventually(async () => {
    served.clear();
    helped.clear();
    const text = await (await fetch(`${a.httpUrl}/metrics`)).text();
    for (const line of text.split("\n")) {
      const [, help] = /^# HELP (\w+)/.exec(line) ?? [];
      if (help !== undefined) helped.add(help);
      const [, name, labels = ""] = /^([a-z_0-9]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
      if (name === undefined) continue;
      const known = served.get(name) ?? new Set();
      for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!);
      served.set(name, known);
    }
    // Those that there are only when there is something to count.
    for (const name of [
      "connections_refused_total",
      "peer_agrees",
      "link_sent_bytes_total",
      "digest_agreement_age_seconds",
    ])
      expect([...served.keys()]).toContain(`presently_${name}`);
  });
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop({ handoffMs: 0 })));
});

/** What an expression asks for that no node serves: metrics, and labels of them. */
function unserved(expression: string): string[] {
  const missing: string[] = [];
  const all = new Set<string>();
  for (const [, name, matchers = ""] of expression.matchAll(
    /\b((?:presently|nodejs|process)_\w+)(?:\{([^}]*)\})?/g,
  )) {
    const labels = served.get(name!);
    if (labels === undefined) missing.push(name!);
    for (const [, label] of matchers.matchAll(/(\w+)\s*[=!]/g))
      if (labels !== undefined && !labels.has(label!)) missing.push(`${name}{${label}}`);
    for (const label of labels ?? []) all.add(label);
  }
  for (const [, list] of expression.matchAll(/\b(?:by|on|ignoring|without)\s*\(([^)]*)\)/g))
    for (const label of list!.split(",").map((text) => text.trim()))
      if (label !== "" && !all.has(label)) missing.push(`by (${label})`);
  return missing;
}

/** Labels that a text shows and the series of its expression do not have. */
function unknownLabels(text: string, pattern: RegExp, expression: string): string[] {
  const names = expression.match(/\b(?:presently|nodejs|process)_\w+/g) ?? [];
  const labels = new Set(names.flatMap((name) => [...(served.get(name) ?? [])]));
  return [...text.matchAll(pattern)].map(([, label]) => label!).filter((label) => !labels.has(label));
}

test("the check finds what is not served", () => {
  expect(unserved('sum by (peer) (presently_entries{cluster="c"})')).toEqual([]);
  expect(unserved('sum by (who) (presently_entries{place="c"}) / presently_nothing')).toEqual([
    "presently_entries{place}",
    "presently_nothing",
    "by (who)",
  ]);
});

describe("the dashboard", () => {
  const dashboard = JSON.parse(read("deploy/grafana/dashboard.json"));
  const panels: {
    id: number;
    title: string;
    description?: string;
    targets?: { expr: string; legendFormat: string }[];
  }[] = dashboard.panels;

  test("asks for metrics and labels that a node serves", () => {
    const targets = panels.flatMap(({ targets = [] }) => targets);
    expect(targets.length).toBeGreaterThan(30);
    for (const { expr, legendFormat } of targets) {
      expect([expr, unserved(expr)]).toEqual([expr, []]);
      expect([expr, unknownLabels(legendFormat, /\{\{(\w+)\}\}/g, expr)]).toEqual([expr, []]);
    }
    const variables = dashboard.templating.list.filter(({ type }: { type: string }) => type === "query");
    for (const { definition } of variables) {
      expect(unserved(definition)).toEqual([]);
      const [, name, label] = /label_values\((\w+).*, (\w+)\)/.exec(definition)!;
      expect(served.get(name!)?.has(label!)).toBe(true);
    }
  });

  test("says of every panel what it shows, and has each once", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { targets, description, title } of panels)
      if (targets !== undefined) expect(description, title).toMatch(/\.$/);
  });
});

describe("the alert rules", () => {
  const rules: {
    alert: string;
    expr: string;
    annotations: Record<string, string>;
    labels: Record<string, string>;
  }[] = parse(read("deploy/prometheus/alerts.yaml")).groups[0].rules;

  test("ask for metrics and labels that a node serves", () => {
    expect(rules.length).toBeGreaterThan(10);
    for (const { expr, annotations } of rules) {
      expect([expr, unserved(expr)]).toEqual([expr, []]);
      const text = Object.values(annotations).join(" ");
      expect([expr, unknownLabels(text, /\$labels\.(\w+)/g, expr)]).toEqual([expr, []]);
    }
  });

  test("have a name of their own, a severity, and words for whoever is woken by them", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, labels, annotations } of rules) {
      expect(alert).toMatch(/^Presently[A-Z]\w+$/);
      expect(["critical", "warning"]).toContain(labels.severity);
      expect(Object.keys(annotations)).toEqual(["summary", "description"]);
    }
  });
});

test("every metric that is served is described, and nothing else is", () => {
  const page = read("docs/metrics.md");
  const described = new Set(page.match(/(?<=`)(?:presently|nodejs|process)_\w+(?=`)/g));
  expect([...helped].filter((name) => !described.has(name))).toEqual([]);
  expect([...described].filter((name) => !helped.has(name))).toEqual([]);
});
