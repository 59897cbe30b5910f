import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { isAuth, requestProblem, sign } from "./signature.ts";

const app = { key: "presently-key", secret: "presently-secret" };

test.each([
  [["123.456", "private-room"], "31200dc2412c9ecf27fd1a625bba1efca814240506db19f673a2b14c3883ea4f"],
  [
    ["123.456", "presence-room", '{"user_id":"u1","user_info":{"name":"Ann"}}'],
    "c1e90afdb39159ff6bdd0546816e9581a8a806acaaa63456980bff5bc61a3bcd",
  ],
  [
    ["123.456", "", "user", "", '{"id":"u1","watchlist":["u2"]}'],
    "b4ace6fc9a587fb41b1018844370b98c08ef99aca739cff20e6b303cab71e90f",
  ],
])("PU9: the signature of %j is known, and no other one counts", (parts, hex) => {
  expect(isAuth(app, `presently-key:${hex}`, parts)).toBe(true);
  expect(isAuth(app, `other-key:${hex}`, parts)).toBe(false);
  expect(isAuth(app, `presently-key:${hex.slice(1)}`, parts)).toBe(false);
  expect(isAuth(app, `presently-key:0${hex.slice(1)}`, parts)).toBe(false);
  for (const other of [undefined, 7, "", hex]) expect(isAuth(app, other, parts)).toBe(false);
});

test("PU9: the signature of a request is known", () => {
  const body = '{"name":"hi","data":"{\\"n\\":1}","channels":["room"]}';
  const md5 = createHash("md5").update(body).digest("hex");
  const query = new URLSearchParams({
    auth_key: "presently-key",
    auth_timestamp: "1700000000",
    auth_version: "1.0",
    body_md5: md5,
    auth_signature: "1567ec7544be126efedd94ed98a9c68983ae6e2c2bbcf032c5a825bbc4de8c7f",
  });
  const request = { method: "POST", path: "/apps/42/events", query, body, nowS: 1_700_000_600 };
  expect(requestProblem(app, request)).toBeUndefined();
  expect(requestProblem(app, { ...request, nowS: 1_700_000_601 })).toContain("auth_timestamp");
  expect(requestProblem(app, { ...request, body: `${body} ` })).toContain("body_md5");
  expect(requestProblem(app, { ...request, method: "GET" })).toContain("auth_signature");
});

test("PU36: the signature of a webhook is known", () => {
  const body =
    '{"time_ms":1700000000000,"events":[{"name":"member_added","channel":"presence-room","user_id":"u1"}]}';
  expect(sign(app.secret, body)).toBe("7b6dcb6b433df8b975a8232169698464a5de6adaca43ee9af6ceecae1dfcef28");
});
