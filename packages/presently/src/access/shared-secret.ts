/**
 * Shared secrets: texts that only their holders know.
 *
 * A public key is known to everybody. Taken for a shared secret, it lets everybody sign. So a text that is a public key in
 * any form that people paste (PEM, DER in base64, JWK, OpenSSH) is never used as a secret.
 */
import { createPublicKey, X509Certificate } from "node:crypto";
import { InvalidArgumentError } from "@presently/replica";

const MAKE_ONE = "make one with: openssl rand -hex 32";
const GIVE_PEM = "give a public key whole and in PEM, where a key can be used";

/** The first or last line of PEM, also one that lost its dashes. */
const PEM_LINE = /-{4,}\s*(BEGIN|END)/i;
const BARE_PEM_LINE = /\b(BEGIN|END)\s[A-Z0-9\s]*(KEY|CERTIFICATE)\b/;
/** The name of an OpenSSH key's algorithm, in the clear or as the first bytes of the base64 behind it. */
const OPENSSH = /\b(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp)|AAAA(B3NzaC1|C3NzaC1|E2VjZHNhLXNoYTI|Gn?NrLX)/;

/** Whether a text holds a key in PEM, or what is left of one. */
export function holdsPem(text: string): boolean {
  return PEM_LINE.test(text) || BARE_PEM_LINE.test(text);
}

/** Everything in a text that stands between a first and a last line of PEM, with these. */
export function pemBlocks(text: string): readonly string[] {
  return text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g) ?? [];
}

/**
 * Returns the text if it can be a secret that several share.
 *
 * @param name      what errors call it
 * @param bytesMin  the fewest bytes that it may have in UTF-8
 * @throws {InvalidArgumentError} for an empty or short one, for a public key in any form, and for what was no text
 */
export function requireSharedSecret(name: string, secret: unknown, bytesMin = 1): string {
  if (typeof secret !== "string" || secret === "")
    throw new InvalidArgumentError(name, "must be a text that is not empty");
  const problem = problemOf(secret);
  if (problem !== undefined) throw new InvalidArgumentError(name, problem);
  if (Buffer.byteLength(secret) < bytesMin)
    throw new InvalidArgumentError(name, `must have at least ${bytesMin} bytes: ${MAKE_ONE}`);
  return secret;
}

function problemOf(secret: string): string | undefined {
  if (holdsPem(secret)) return `holds a key in PEM, which is no secret: ${GIVE_PEM}`;
  if (OPENSSH.test(secret)) return `is a key of OpenSSH, which is no secret: ${GIVE_PEM}`;
  if (isJson(secret)) return `is JSON, such as a JWK, and no secret: ${GIVE_PEM}`;
  if (/^\s*https?:\/\//i.test(secret)) return `is a URL, and no secret: ${MAKE_ONE}`;
  if (bytesIn(secret).some(isKey)) return `is an encoded key, which is no secret: ${GIVE_PEM}`;
  // Many different bytes become these: the secret would be another one than its owner thinks.
  if (/[\0\ufffd]/.test(secret)) return `was read from bytes that are no text: ${MAKE_ONE}`;
  return undefined;
}

function isJson(text: string): boolean {
  if (/["']kty["']\s*:/.test(text)) return true;
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    return typeof value === "object" && value !== null;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** What the text may stand for: bytes in base64 or in hexadecimal, or one byte for each character. */
function bytesIn(text: string): Buffer[] {
  const digits = text.replaceAll(/[\s\ufeff]/g, "");
  return [
    ...(/^[\w+/-]+=*$/.test(digits) ? [Buffer.from(digits, "base64")] : []),
    ...(/^[0-9a-f]+$/i.test(digits) ? [Buffer.from(digits, "hex")] : []),
    Buffer.from(text, "latin1"),
  ];
}

function isKey(bytes: Buffer): boolean {
  const asText = bytes.toString("latin1");
  if (holdsPem(asText) || OPENSSH.test(asText) || isJson(asText)) return true;
  return (
    parses(() => createPublicKey({ key: bytes, format: "der", type: "spki" })) ||
    parses(() => createPublicKey({ key: bytes, format: "der", type: "pkcs1" })) ||
    parses(() => new X509Certificate(bytes))
  );
}

function parses(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    // OpenSSL says in many ways that something is no key.
    return false;
  }
}
