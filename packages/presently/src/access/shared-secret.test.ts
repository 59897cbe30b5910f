import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import fc from "fast-check";
import { SignJWT } from "jose";
import { describe, expect, test, vi } from "vitest";
import { jwtVerifier } from "./json-web-token.ts";
import { requireSharedSecret } from "./shared-secret.ts";

// Many keys are read and tokens signed, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const pem = (publicKey: KeyObject) => publicKey.export({ type: "spki", format: "pem" }) as string;
const der = (publicKey: KeyObject) => publicKey.export({ type: "spki", format: "der" });
const jwk = (publicKey: KeyObject) => JSON.stringify(publicKey.export({ format: "jwk" }));

/** Of a key that nobody has. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBODCB66ADAgECAhQWSU1RVNpj63tjfyu+s4Y681cM4DAFBgMrZXAwETEPMA0G
A1UEAwwGc2lnbmVyMCAXDTI2MTIwMTAwMTA1OVoYDzIxMjYxMTA3MDAxMDU5WjAR
MQ8wDQYDVQQDDAZzaWduZXIwKjAFBgMrZXADIQC64lvxEvmWy87NDHqsGsEccn0L
uPxmXefAZ9HA3UcwA6NTMFEwHQYDVR0OBBYEFBRew/7WgtVXGtKJvdf5XK8muYPY
MB8GA1UdIwQYMBaAFBRew/7WgtVXGtKJvdf5XK8muYPYMA8GA1UdEwEB/wQFMAMB
Af8wBQYDK2VwA0EAnMkQOtrQ3xC1o4rnpEBrhpSB4Y9GrHs/0KOi88KUk4J+yjEE
Cof9fw739/bEI8+d3iWPWj25wfrY3Tee5MVJBA==
-----END CERTIFICATE-----
`;

const invalid = { ok: false, why: "invalid" };

/** A token that anybody can make who knows the text. */
function forge(text: string): Promise<string> {
  const token = new SignJWT({ sub: "admin" }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("1h");
  return token.sign(new TextEncoder().encode(text));
}

describe("a public key in PEM", () => {
  test.each<[string, (text: string) => string]>([
    ["as it is", (text) => text],
    ["behind a line break", (text) => `\n${text}`],
    ["behind a blank", (text) => ` ${text}`],
    ["behind a tabulator", (text) => `\t${text}`],
    ["behind a byte order mark", (text) => `\ufeff${text}`],
    ["behind NUL", (text) => `\0${text}`],
    ["behind text", (text) => `Bag Attributes: <No Attributes>\nsubject=CN = a\n${text}`],
    ["before text", (text) => `${text}# of the login service`],
    ["indented", (text) => text.replaceAll(/^/gm, "    ")],
    ["with the line breaks of Windows", (text) => text.replaceAll("\n", "\r\n")],
    ["with blanks at the ends of lines", (text) => text.replaceAll("\n", " \n")],
  ])("%s is that key, and no secret", async (_, written) => {
    for (const [{ publicKey, privateKey }, alg] of [
      [rsa, "RS256"],
      [ec, "ES256"],
      [ed, "EdDSA"],
    ] as const) {
      const secret = written(pem(publicKey));
      const verify = jwtVerifier({ secret });
      const honest = new SignJWT({ sub: "ann" }).setProtectedHeader({ alg }).setExpirationTime("1h");
      expect(await verify(await honest.sign(privateKey))).toMatchObject({ ok: true });
      for (const known of [secret, secret.trim(), pem(publicKey), pem(publicKey).trim()])
        expect(await verify(await forge(known))).toEqual(invalid);
    }
  });

  test("in a certificate is that key", async () => {
    const verify = jwtVerifier({ secret: `\n${CERTIFICATE}` });
    expect(await verify(await forge(`\n${CERTIFICATE}`))).toEqual(invalid);
  });

  test("never becomes a secret by what stands before it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary" }),
        async (before, after) => {
          const secret = `${before}${pem(ec.publicKey)}${after}`;
          const verify = verifierOf(secret);
          if (verify !== undefined) expect(await verify(await forge(secret))).toEqual(invalid);
        },
      ),
    );
  });
});

/** Undefined where the secret is refused. */
function verifierOf(secret: string) {
  try {
    return jwtVerifier({ secret });
  } catch {
    return undefined;
  }
}

const body = pem(rsa.publicKey).split("\n").slice(1, -2).join("\n");

const publicTexts: [string, string][] = [
  ["in PEM without its last line", pem(rsa.publicKey).replace(/-----END.*/s, "")],
  ["in PEM without its first line", pem(rsa.publicKey).replace(/^.*\n/, "")],
  ["in PEM whose first dashes are lost", pem(rsa.publicKey).replace(/^-+/, "")],
  ["in PEM whose dashes became others", pem(rsa.publicKey).replaceAll("-----", "—–")],
  ["in PEM on one line", pem(rsa.publicKey).replaceAll("\n", "\\n")],
  ["in PEM on one line of blanks", pem(rsa.publicKey).replaceAll("\n", " ")],
  ["in PEM of small letters", pem(rsa.publicKey).toLowerCase()],
  ["in PEM without its middle", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"],
  [
    "in PEM of another label",
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----",
  ],
  [
    "in SSH2's format",
    "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQABAAABgQ\n---- END SSH2 PUBLIC KEY ----",
  ],
  ["in PEM, two of them", pem(rsa.publicKey) + pem(ec.publicKey)],
  [
    "in PEM, with the private one",
    pem(rsa.publicKey) + String(rsa.privateKey.export({ type: "pkcs8", format: "pem" })),
  ],
  ["the lines of PEM alone", body],
  ["the lines of PEM behind a byte order mark", `\ufeff${body}`],
  ["in base64", der(rsa.publicKey).toString("base64")],
  ["in base64url", der(ec.publicKey).toString("base64url")],
  ["of Ed25519 in base64", der(ed.publicKey).toString("base64")],
  ["in hexadecimal", der(rsa.publicKey).toString("hex")],
  ["in capital hexadecimal", der(ed.publicKey).toString("hex").toUpperCase()],
  ["in base64, as PKCS#1", rsa.publicKey.export({ type: "pkcs1", format: "der" }).toString("base64")],
  ["in PEM in base64", Buffer.from(pem(rsa.publicKey)).toString("base64")],
  ["as bytes read as Latin-1", der(rsa.publicKey).toString("latin1")],
  ["as bytes read as UTF-8", der(rsa.publicKey).toString("utf8")],
  ["in PEM in UTF-16, read as UTF-8", Buffer.from(`\ufeff${pem(rsa.publicKey)}`, "utf16le").toString("utf8")],
  ["a certificate in base64", CERTIFICATE.replaceAll(/-----.*-----|\n/g, "")],
  ["a JWK", jwk(rsa.publicKey)],
  ["a JWK behind blanks", `\ufeff \n${jwk(ec.publicKey)}`],
  ["a set of JWKs", JSON.stringify({ keys: [ed.publicKey.export({ format: "jwk" })] })],
  ["a JWK that is no JSON", `{'kty': 'RSA', 'n': '${"a".repeat(64)}', 'e': 'AQAB'}`],
  ["a JWK in base64", Buffer.from(jwk(rsa.publicKey)).toString("base64")],
  ["the URL of JWKs", "https://login.example/.well-known/jwks.json"],
  ["of OpenSSH", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6gBGqXqZ2D3uCrCKdGxnQFfCzE2uYtPZ ann@host"],
  ["of OpenSSH with options", "no-pty ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 ann@host"],
  ["of OpenSSH without its name", "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEez"],
];

describe("no shared secret is", () => {
  test.each(publicTexts)("a key %s", (_, text) => {
    expect(() => requireSharedSecret("s", text)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    expect(() => jwtVerifier({ secret: text })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  test("repeated by the error that refuses it", () => {
    for (const [, text] of publicTexts)
      expect(() => requireSharedSecret("s", text)).not.toThrow(text.slice(0, 40));
  });
});

describe("a shared secret", () => {
  test("may be any random text", () => {
    const texts = fc.uint8Array({ minLength: 32, maxLength: 64 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(texts, fc.constantFrom("base64", "base64url", "hex"), (bytes, encoding) => {
        const secret = bytes.toString(encoding as "hex");
        expect(requireSharedSecret("s", secret, 32)).toBe(secret);
      }),
    );
  });

  test.each([
    ["a sentence", "correct horse battery staple, and in the end the key"],
    ["one with dashes", "--- 2001 -- begin again, my friend ---"],
    ["one with umlauts", "Schlüssel für alle Tür- und Torschlösser"],
    ["one in brackets", "{not json, but long enough for a token}"],
  ])("may be %s", (_, secret) => {
    expect(requireSharedSecret("s", secret)).toBe(secret);
  });

  test.each([
    ["HS256", 32],
    ["HS384", 48],
    ["HS512", 64],
  ] as const)("of %s needs %i bytes", (algorithm, bytesMin) => {
    const secretOf = (bytes: number) => randomBytes(bytes).toString("hex").slice(0, bytes);
    const rules = { sharedSecretAlgorithms: [algorithm] };
    expect(() => jwtVerifier({ ...rules, secret: secretOf(bytesMin - 1) })).toThrow(
      `token secret must have at least ${bytesMin} bytes: make one with: openssl rand -hex 32`,
    );
    expect(() => jwtVerifier({ ...rules, secret: [secretOf(64), secretOf(bytesMin - 1)] })).toThrow(/bytes/);
    jwtVerifier({ ...rules, secret: secretOf(bytesMin) });
    // Bytes count, not characters.
    jwtVerifier({ ...rules, secret: "ü".repeat(bytesMin / 2) });
  });
});

test("an RSA key that is too small for any token is refused", () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1_024 });
  expect(() => jwtVerifier({ secret: pem(publicKey) })).toThrow(/2048 bits/);
});
