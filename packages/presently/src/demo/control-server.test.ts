import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ControlServer } from "./control-server.ts";
import type { Demo, DemoState } from "./demo.ts";
import { UnknownPartError } from "./errors.ts";

const PAGE = "http://127.0.0.1:4001";

let calls: string[];
let server: ControlServer;

beforeEach(async () => {
  calls = [];
  server = new ControlServer(fakeDemo(), () => undefined);
  await server.listen(0);
});

afterEach(() => server.close());

/** Writes down what it is told; knows the node `n1` and the link n1–n2. */
function fakeDemo(): Demo {
  const record = (call: string) => async () => void calls.push(call);
  const node = {
    name: "n1",
    url: PAGE,
    kill: record("kill"),
    stop: record("stop"),
    start: record("start"),
    pause: record("pause"),
    resume: record("resume"),
  };
  const link = { ends: ["n1", "n2"], cut: record("cut"), restore: record("restore") };
  const state: DemoState = { nodes: [{ name: "n1", url: PAGE, state: "running" }], links: [] };
  return {
    nodes: [node],
    state: () => state,
    node: (name: string) => {
      if (name !== "n1") throw new UnknownPartError("node", name, ["n1"]);
      return node;
    },
    link: (a: string, b: string) => {
      if (a !== "n1" || b !== "n2") throw new UnknownPartError("link", `${a}–${b}`, ["n1–n2"]);
      return link;
    },
  } as unknown as Demo;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: { readonly nodes?: unknown; readonly error?: { readonly code: string } };
}

/** Not `fetch`, which would not let a test choose `Host`. */
function ask(
  method: string,
  path: string,
  { body, headers = {} }: { body?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${server.url}${path}`, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => {
        const { statusCode: status } = response;
        resolve({ status, headers: response.headers, body: text === "" ? {} : JSON.parse(text) });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

describe("the control server", () => {
  it("tells the state", async () => {
    const { status, body } = await ask("GET", "/state");
    expect(status).toBe(200);
    expect(body.nodes).toEqual([{ name: "n1", url: PAGE, state: "running" }]);
  });

  it("cuts and restores a link", async () => {
    expect((await ask("POST", "/links/n1/n2", { body: '{"cut":true}' })).status).toBe(200);
    expect((await ask("POST", "/links/n1/n2", { body: '{"cut":false}' })).status).toBe(200);
    expect(calls).toEqual(["cut", "restore"]);
  });

  it.each([
    ["kill", ["kill"]],
    ["restart", ["stop", "start"]],
    ["pause", ["pause"]],
    ["resume", ["resume"]],
  ])("can %s a node", async (action, expected) => {
    expect((await ask("POST", `/nodes/n1/${action}`)).status).toBe(200);
    expect(calls).toEqual(expected);
  });

  it.each([
    ["GET", "/nodes/n1/kill", undefined, 404, "NOT_FOUND"],
    ["POST", "/nodes/n1/paint", undefined, 404, "NOT_FOUND"],
    ["POST", "/nodes/n9/kill", undefined, 404, "UNKNOWN_PART"],
    ["POST", "/links/n1/n9", '{"cut":true}', 404, "UNKNOWN_PART"],
    ["POST", "/links/n1/n2", "{", 400, "BAD_BODY"],
    ["POST", "/links/n1/n2", '{"cut":1}', 400, "BAD_BODY"],
    ["POST", "/links/n1/n2", "null", 400, "BAD_BODY"],
    ["POST", "/links/n1/n2", " ".repeat(2000), 413, "BODY_TOO_LARGE"],
    ["POST", "/nodes/%E0%A4%A/kill", undefined, 400, "BAD_PATH"],
  ])("answers %s %s with body %s by %i %s, and does nothing", async (method, path, body, status, code) => {
    const answer = await ask(method, path, body === undefined ? {} : { body });
    expect([answer.status, answer.body.error?.code]).toEqual([status, code]);
    expect(calls).toEqual([]);
  });
});

describe("who may control the demo", () => {
  it("is every page of it, by either name of this machine", async () => {
    for (const origin of [PAGE, "http://localhost:4001"]) {
      const answer = await ask("POST", "/nodes/n1/kill", { headers: { origin } });
      expect(answer.status).toBe(200);
      expect(answer.headers["access-control-allow-origin"]).toBe(origin);
    }
  });

  it("is told to browsers before they ask", async () => {
    const answer = await ask("OPTIONS", "/links/n1/n2", { headers: { origin: PAGE } });
    expect(answer.status).toBe(204);
    expect(answer.headers["access-control-allow-headers"]).toBe("content-type");
  });

  it("is no other page", async () => {
    for (const origin of ["http://127.0.0.1:4009", "https://example.com", "null"]) {
      const answer = await ask("POST", "/nodes/n1/kill", { headers: { origin } });
      expect([answer.status, answer.body.error?.code]).toEqual([403, "FOREIGN_ORIGIN"]);
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
    expect(calls).toEqual([]);
  });

  it("is nobody who calls this address by another name", async () => {
    const answer = await ask("POST", "/nodes/n1/kill", { headers: { host: "example.com" } });
    expect([answer.status, answer.body.error?.code]).toEqual([403, "FOREIGN_HOST"]);
    expect(calls).toEqual([]);
  });
});
