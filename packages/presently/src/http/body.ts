/** Request bodies, bounded while they are read. */
import type { IncomingMessage } from "node:http";
import { checkObject, InvalidArgumentError, LimitError } from "@presently/replica";
import { HttpRequestError } from "../errors.ts";

/**
 * How much of a body that is too large is still read, and thrown away. A client that is still sending when the connection
 * closes may never see the answer, so one that overshoots by little is heard out.
 */
const DISCARD_BYTES_MAX = 1_048_576;

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * The whole body as text; the empty text if there is none. Never holds more than `bytesMax` bytes.
 *
 * The time it may take is the server's `requestTimeout`, so there is no timer here.
 *
 * @throws {LimitError} when the announced or the received length passes `bytesMax`; unless the body is complete by then
 *   (`request.complete`), the connection must be closed after the answer
 * @throws {InvalidArgumentError} when it is not UTF-8
 * @throws {HttpRequestError} `REQUEST_ABORTED` when the client goes away; nobody will read the answer
 */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<string> {
  checkObject("request", request, ["on", "resume"]);
  return new Promise((resolve, reject) => {
    const tooLarge = () => new LimitError("http.bodyBytesMax", bytesMax, "the request body is too large");
    if (Number(request.headers["content-length"] ?? 0) > bytesMax + DISCARD_BYTES_MAX) {
      reject(tooLarge());
      return;
    }
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= bytesMax) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      if (length > bytesMax + DISCARD_BYTES_MAX) {
        request.pause();
        reject(tooLarge());
      }
    });
    request.on("end", () => {
      if (length > bytesMax) reject(tooLarge());
      else resolveText(chunks, resolve, reject);
    });
    const aborted = () =>
      reject(
        new HttpRequestError(400, "REQUEST_ABORTED", "the client went away before the body was complete"),
      );
    request.on("error", aborted);
    // After the end a close is the ordinary course of things; the promise is settled then, and this does nothing.
    request.on("close", aborted);
  });
}

function resolveText(
  chunks: readonly Buffer[],
  resolve: (text: string) => void,
  reject: (error: Error) => void,
): void {
  try {
    resolve(decoder.decode(Buffer.concat(chunks)));
  } catch (cause) {
    reject(new InvalidArgumentError("the request body", "is not UTF-8", { cause }));
  }
}
