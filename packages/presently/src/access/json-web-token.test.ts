import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { jwtVerifier } from "./json-web-token.ts";

const shared = "a secret of signer and server, long enough";
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const pem = ({ publicKey }: { publicKey: KeyObject }) =>
  publicKey.export({ type: "spki", format: "pem" }) as string;
const bytes = (text: string) => new TextEncoder().encode(text);

function sign(
  alg: string,
  key: KeyObject | Uint8Array,
  claims: object = {},
  expires: string | number = "1h",
) {
  const token = new SignJWT({ sub: "ann", ...claims }).setProtectedHeader({ alg });
  return token.setExpirationTime(expires).sign(key);
}

/** A token put together by hand: the parts, and a signature of whatever kind. */
function forged(header: object, claims: object, signature = ""): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.${signature}`;
}

const invalid = { ok: false, why: "invalid" };

describe("a token", () => {
  test.each([
    ["HS256", shared, bytes(shared)],
    ["RS256", pem(rsa), rsa.privateKey],
    ["ES256", pem(ec), ec.privateKey],
    ["EdDSA", pem(ed), ed.privateKey],
  ])("signed by %s gives its claims", async (algorithm, secret, key) => {
    const verdict = await jwtVerifier({ secret })(await sign(algorithm, key));
    expect(verdict).toMatchObject({ ok: true, claims: { sub: "ann" } });
  });

  test.each([
    ["signed by another", () => sign("HS256", bytes("somebody else's secret, long enough"))],
    ["of another algorithm", () => sign("HS512", bytes(shared.padEnd(64, "!")))],
    ["of an algorithm that is not taken", () => sign("HS384", bytes(shared))],
    ["without a signature", () => forged({ alg: "none" }, { sub: "ann" })],
    ["that says None", () => forged({ alg: "None" }, { sub: "ann" }, "AA")],
    [
      "with a header of prototypes",
      () => forged({ __proto__: null, constructor: { alg: "HS256" } }, {}, "AA"),
    ],
    [
      "that must be understood in a way unknown here",
      () => forged({ alg: "HS256", crit: ["x"], x: 1 }, {}, "AA"),
    ],
    ["that is none", () => "token"],
    ["that is empty", () => ""],
    ["that is longer than any token", () => `${"a".repeat(9_000)}.${"a".repeat(9_000)}.a`],
  ])("%s gives nothing", async (_, token) => {
    expect(await jwtVerifier({ secret: shared })(await token())).toEqual(invalid);
  });

  test("signed with the public key as a shared secret gives nothing", async () => {
    const token = await sign("HS256", bytes(pem(rsa)));
    expect(await jwtVerifier({ secret: pem(rsa) })(token)).toEqual(invalid);
  });

  test("that has expired is told from one that was never valid", async () => {
    const verify = jwtVerifier({ secret: shared });
    const expired = await sign("HS256", bytes(shared), {}, "-1h");
    expect(await verify(expired)).toEqual({ ok: false, why: "expired" });
    expect(await verify(await sign("HS256", bytes("somebody else's, long enough"), {}, "-1h"))).toEqual(
      invalid,
    );
  });

  test("may have expired as long ago as clocks may differ", async () => {
    const token = await sign("HS256", bytes(shared), {}, Math.floor(Date.now() / 1_000) - 5);
    expect(await jwtVerifier({ secret: shared, clockToleranceMs: 60_000 })(token)).toMatchObject({
      ok: true,
    });
    expect(await jwtVerifier({ secret: shared })(token)).toMatchObject({ ok: false });
  });

  test("may be signed by any of several secrets", async () => {
    const verify = jwtVerifier({ secret: [shared, pem(ec)] });
    expect(await verify(await sign("ES256", ec.privateKey))).toMatchObject({ ok: true });
    expect(await verify(await sign("HS256", bytes(shared)))).toMatchObject({ ok: true });
    expect(await verify(await sign("HS256", bytes("a third, which is long enough, too")))).toEqual(invalid);
  });

  test("must come from the issuer and for the audience, and have the claims that are asked for", async () => {
    const verify = jwtVerifier({
      secret: shared,
      issuer: ["i", "j"],
      audience: "a",
      requiredClaims: ["jti"],
    });
    const good = { iss: "j", aud: ["a", "b"], jti: "1" };
    expect(await verify(await sign("HS256", bytes(shared), good))).toMatchObject({ ok: true });
    for (const wrong of [{ iss: "k" }, { aud: "b" }, { jti: undefined }, { aud: undefined }])
      expect(await verify(await sign("HS256", bytes(shared), { ...good, ...wrong }))).toEqual(invalid);
  });
});

test.each([
  ["an empty secret", ""],
  ["an empty list", []],
  ["what only looks like a key", "-----BEGIN PUBLIC KEY-----\nno\n-----END PUBLIC KEY-----\n"],
  ["a private key", ec.privateKey.export({ type: "pkcs8", format: "pem" }) as string],
  ["a key on another curve", pem(generateKeyPairSync("ec", { namedCurve: "P-384" }))],
  ["a key of another kind", pem(generateKeyPairSync("x25519"))],
])("%s is refused", (_, secret) => {
  expect(() => jwtVerifier({ secret })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});
