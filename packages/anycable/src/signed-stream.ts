/** Names of streams that a server of the application has signed: whoever has one may subscribe to it. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { checkString } from "presently/drop-in";

const SEPARATOR = "--";

/**
 * Signs the name of a stream, for `cable.streamFromSigned(…)`: the same text that every AnyCable server library makes.
 *
 * It is the padded base64 of the name's JSON, two dashes, and the HMAC-SHA256 of that base64 in lower-case hexadecimal.
 */
export function signStream(secret: string, stream: string): string {
  checkString("secret", secret);
  checkString("stream", stream);
  const payload = Buffer.from(JSON.stringify(stream)).toString("base64");
  return `${payload}${SEPARATOR}${signature(secret, payload).toString("hex")}`;
}

/** The name that was signed with the secret; undefined for everything else. The signatures are compared in constant time. */
export function verifyStream(secret: string, signed: string): string | undefined {
  checkString("secret", secret);
  checkString("signed", signed);
  const [payload, given, ...rest] = signed.split(SEPARATOR);
  if (!payload || given === undefined || rest.length > 0 || !/^[0-9a-f]{64}$/.test(given)) return undefined;
  if (!timingSafeEqual(Buffer.from(given, "hex"), signature(secret, payload))) return undefined;
  try {
    const name: unknown = JSON.parse(Buffer.from(payload, "base64").toString("utf8"));
    return typeof name === "string" && name !== "" ? name : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whether two secrets are the same; takes the same time whatever they have in common. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(signature("compare", given), signature("compare", expected));
}

/** The secret of the REST API that follows from the common one, as AnyCable derives it. */
export function apiSecretFrom(secret: string): string {
  checkString("secret", secret);
  return signature(secret, "api-cable").toString("hex");
}

function signature(secret: string, text: string): Buffer {
  return createHmac("sha256", secret).update(text).digest();
}
