import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { InvalidArgumentError } from "presently";
import { describe, expect, test } from "vitest";
import { tokenVerifier } from "./token.ts";

const shared = "a secret of signer and server";
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = ({ publicKey }: { publicKey: KeyObject }) =>
  publicKey.export({ type: "spki", format: "pem" }) as string;
const sign = (alg: string, key: KeyObject | Uint8Array, expires = "1h") =>
  new SignJWT({ user_id: "alice" }).setProtectedHeader({ alg }).setExpirationTime(expires).sign(key);
const bytes = (text: string) => new TextEncoder().encode(text);

describe("a token", () => {
  test.each([
    ["HS256", shared, bytes(shared)],
    ["RS256", pem(rsa), rsa.privateKey],
    ["ES256", pem(ec), ec.privateKey],
  ])("signed by %s gives its claims", async (algorithm, secret, key) => {
    expect(await tokenVerifier(secret)(await sign(algorithm, key))).toMatchObject({ user_id: "alice" });
  });

  test.each([
    ["signed by another", () => sign("HS256", bytes("somebody else's secret"))],
    ["that has expired", () => sign("HS256", bytes(shared), "-1h")],
    ["of another algorithm", () => sign("HS512", bytes(shared.padEnd(64, "!")))],
    ["without a signature", async () => `${btoa('{"alg":"none"}')}.${btoa('{"user_id":"alice"}')}.`],
    ["that is none", async () => "token"],
  ])("%s gives nothing", async (_, token) => {
    expect(await tokenVerifier(shared)(await token())).toBeUndefined();
  });

  test("signed with the public key as a shared secret gives nothing", async () => {
    expect(await tokenVerifier(pem(rsa))(await sign("HS256", bytes(pem(rsa))))).toBeUndefined();
  });
});

test.each([
  ["an empty secret", ""],
  ["what only looks like a key", "-----BEGIN PUBLIC KEY-----\nno\n-----END PUBLIC KEY-----\n"],
  ["a key on another curve", pem(generateKeyPairSync("ec", { namedCurve: "P-384" }))],
  ["a key of another kind", pem(generateKeyPairSync("ed25519"))],
])("%s is refused", (_, secret) => {
  expect(() => tokenVerifier(secret)).toThrow(InvalidArgumentError);
});
