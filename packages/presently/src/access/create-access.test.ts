import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import type { Action, Identity } from "./access.ts";
import { createApiToken, hashApiToken } from "./api-token.ts";
import { type AccessOptions, createAccess, type JwtAccess } from "./create-access.ts";

const secret = "a secret of signer and server, long enough";
const watch = (topic: string): Action => ({ kind: "watch", topic });
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;

function sign(claims: Record<string, unknown>): Promise<string> {
  const token = new SignJWT({ sub: "ann", exp: inSeconds(60), ...claims });
  return token.setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(secret));
}

async function who(options: AccessOptions, token: string | undefined): Promise<Identity | undefined> {
  const credentials = { protocol: "http", token, params: {}, headers: {}, address: undefined } as const;
  return await createAccess(options).authenticate(credentials);
}

const byJwt = (jwt: Omit<JwtAccess, "secret"> = {}): AccessOptions => ({ jwt: { secret, ...jwt } });

describe("a JSON web token", () => {
  test("says who it is, until when, and what they may do", async () => {
    const exp = inSeconds(60);
    const access = createAccess(byJwt({ clockToleranceMs: 1_000 }));
    const token = await sign({ exp, presently: ["watch:room:*"] });
    const identity = await who(byJwt({ clockToleranceMs: 1_000 }), token);
    expect(identity).toMatchObject({ id: "ann", claims: { sub: "ann" }, expiresAtMs: exp * 1_000 + 1_000 });
    expect(await access.authorize(identity!, watch("room:1"))).toBe(true);
    expect(await access.authorize(identity!, watch("lobby"))).toBe(false);
  });

  test("may name them by any claim, or by what a function finds", async () => {
    expect(await who(byJwt({ id: "user_id" }), await sign({ user_id: 42 }))).toMatchObject({ id: "42" });
    const mail = byJwt({ id: ({ email }) => (email as { name?: string }).name });
    expect(await who(mail, await sign({ email: { name: "ann" } }))).toMatchObject({ id: "ann" });
  });

  test.each([{ user_id: "" }, { user_id: null }, { user_id: ["ann"] }, { user_id: { toString: "ann" } }, {}])(
    "that names nobody is nobody: %j",
    async (claims) => {
      expect(await who(byJwt({ id: "user_id" }), await sign(claims))).toBeUndefined();
    },
  );

  test("without scopes may do what the configuration says, and one with scopes only what these say", async () => {
    const options = byJwt({ scopes: ["watch:*"] });
    const access = createAccess(options);
    const plain = await who(options, await sign({}));
    const scoped = await who(options, await sign({ scope: "openid watch:lobby" }));
    const none = await who(byJwt(), await sign({}));
    expect(await access.authorize(plain!, watch("room"))).toBe(true);
    expect(await access.authorize(scoped!, watch("lobby"))).toBe(true);
    expect(await access.authorize(scoped!, watch("room"))).toBe(false);
    expect(await access.authorize(none!, watch("room"))).toBe(false);
  });

  test("must expire, unless the configuration says otherwise", async () => {
    const token = await sign({ exp: undefined });
    expect(await who(byJwt(), token)).toBeUndefined();
    expect(await who(byJwt({ withoutExpiry: true }), token)).toEqual(expect.objectContaining({ id: "ann" }));
  });

  test("that is bad is not taken for none", async () => {
    const options = { ...byJwt(), anonymous: ["watch:*"] };
    expect(await who(options, "bad")).toBeUndefined();
    expect(await who(options, undefined)).toMatchObject({ id: "anonymous" });
  });
});

describe("a single-use token", () => {
  const options = byJwt({ singleUse: true });
  const credentials = (token: string) => ({
    ...({ protocol: "http", params: {}, headers: {}, address: undefined } as const),
    token,
  });

  test("lets in once", async () => {
    const access = createAccess(options);
    const token = await sign({ jti: "1" });
    const uses = [token, token, await sign({ jti: "1", iss: "other" }), await sign({ jti: "2" })];
    const found = await Promise.all(uses.map((each) => access.authenticate(credentials(each))));
    const ids = found.map((identity) => identity?.id);
    // Which of two that come at once is the first is not ours to say.
    expect(new Set(ids.slice(0, 2))).toEqual(new Set(["ann", undefined]));
    expect(ids.slice(2)).toEqual(["ann", "ann"]);
  });

  test("needs a number and an end", async () => {
    const access = createAccess(byJwt({ singleUse: true, withoutExpiry: true }));
    for (const claims of [{}, { jti: "" }, { jti: 1 }, { jti: "1", exp: undefined }])
      expect(await access.authenticate(credentials(await sign(claims)))).toBeUndefined();
  });

  test("is refused when there is no room to remember it", async () => {
    const access = createAccess(byJwt({ singleUse: true, singleUseTokensMax: 1 }));
    expect(await access.authenticate(credentials(await sign({ jti: "1" })))).toBeDefined();
    const second = access.authenticate(credentials(await sign({ jti: "2" })));
    await expect(second).rejects.toMatchObject({
      code: "LIMIT_REACHED",
      option: "access.jwt.singleUseTokensMax",
    });
  });
});

describe("an API token", () => {
  const token = createApiToken();
  const entry = { id: "ci", hash: hashApiToken(token), scopes: ["inspect:metrics"] };
  const metrics = { kind: "inspect", what: "metrics" } as const;

  test("is known by its hash, and is good for its scopes", async () => {
    expect(token).toMatch(/^presently_[\w-]{43}$/);
    const access = createAccess({ tokens: [entry] });
    const identity = await who({ tokens: [entry] }, token);
    expect(identity).toEqual({ id: "ci", claims: { presently: ["inspect:metrics"] } });
    expect(await access.authorize(identity!, metrics)).toBe(true);
    expect(await access.authorize(identity!, { kind: "inspect", what: "topics" })).toBe(false);
  });

  test.each([createApiToken(), "", `${token} `, hashApiToken(token), hashApiToken(token).slice(7)])(
    "is nothing else: %s",
    async (other) => {
      expect(await who({ tokens: [entry] }, other)).toBeUndefined();
    },
  );

  test("ceases to count when it expires", async () => {
    const expires = "2030-01-01T00:00:00Z";
    expect(await who({ tokens: [{ ...entry, expires }] }, token)).toMatchObject({
      expiresAtMs: Date.UTC(2030, 0, 1),
    });
  });

  test("that is taken back may do nothing more, and a list that cannot be used changes nothing", async () => {
    const access = createAccess({ tokens: [entry] });
    const identity = await access.authenticate({
      ...({ protocol: "http", params: {}, headers: {}, address: undefined } as const),
      token,
    });
    expect(() => access.renewTokens([{ ...entry, hash: "plain" }])).toThrow("tokens[0].hash");
    expect(await access.authorize(identity!, metrics)).toBe(true);
    access.renewTokens([]);
    expect(await access.authorize(identity!, metrics)).toBe(false);
  });

  test.each([
    [{ ...entry, id: "" }, "tokens[0].id"],
    [{ ...entry, hash: token }, "tokens[0].hash"],
    [{ ...entry, scopes: ["admin"] }, 'has "admin"'],
    [{ ...entry, scopes: "inspect" }, "tokens[0].scopes"],
    [{ ...entry, expires: "soon" }, "tokens[0].expires"],
    [{ ...entry, token }, "tokens[0].token"],
    [null, "tokens[0]"],
  ])("that is malformed is refused: %j", (malformed, message) => {
    expect(() => createAccess({ tokens: [malformed as never] })).toThrow(message);
    if (malformed !== null && !("token" in malformed)) return;
    expect(() => createAccess({ tokens: [malformed as never] })).not.toThrow(token);
  });

  test("is refused where another has its id or its hash", () => {
    expect(() => createAccess({ tokens: [entry, { ...entry, id: "other" }] })).toThrow("one hash twice");
    expect(() => createAccess({ tokens: [entry, { ...entry, hash: hashApiToken("x") }] })).toThrow(
      "one id twice",
    );
  });
});

test.each([
  {},
  { jwt: { secret: "" } },
  { jwt: { secret, scopes: ["nonsense"] } },
  { jwt: { secret, clockToleranceMs: -1 } },
  { jwt: { secret, singleUseTokensMax: 0 } },
  { jwt: { secret, algorithms: ["none"] } },
  { anonymous: ["admin"] },
  { anonymous: "watch:*" },
  { anonymus: ["watch:*"] },
])("options that cannot be meant are refused: %j", (options) => {
  expect(() => createAccess(options as AccessOptions)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
});
