/** How receivers know that a webhook is genuine, and new. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { checkInteger, checkObject, checkString } from "@presently/replica";

/** The header field that carries the signature of a webhook; `verifyWebhook` takes its value. */
export const SIGNATURE_HEADER = "presently-signature";
const TOLERANCE_S = 300;

/** The value of the header: `t=<unix seconds>,v1=<hex of the HMAC-SHA256 of "<t>.<body>">`. */
export function signWebhook(secret: string, body: string, seconds: number): string {
  checkString("secret", secret);
  checkString("body", body);
  checkInteger("seconds", seconds, 0);
  return `t=${seconds},v1=${digest(secret, body, seconds).toString("hex")}`;
}

/**
 * Whether a webhook is genuine, for receivers in Node.js. The signatures are compared in constant time.
 *
 * @param webhook.header  the header field `presently-signature`
 * @param webhook.body  the body as it came, not parsed and written again
 * @param webhook.nowS  unix seconds; default now
 * @param webhook.toleranceS  how old, or how far ahead, it may be; default 300
 */
export function verifyWebhook(
  secret: string,
  webhook: {
    readonly header: string | undefined;
    readonly body: string;
    readonly nowS?: number;
    readonly toleranceS?: number;
  },
): boolean {
  checkString("secret", secret);
  checkObject("webhook", webhook);
  checkString("webhook.body", webhook.body);
  const { header = "", body, nowS = Date.now() / 1_000, toleranceS = TOLERANCE_S } = webhook;
  const [, time, signature] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  if (time === undefined || signature === undefined) return false;
  if (Math.abs(nowS - Number(time)) > toleranceS) return false;
  return timingSafeEqual(Buffer.from(signature, "hex"), digest(secret, body, Number(time)));
}

function digest(secret: string, body: string, seconds: number): Buffer {
  return createHmac("sha256", secret).update(`${seconds}.${body}`).digest();
}
