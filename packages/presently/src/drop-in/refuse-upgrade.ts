/** Answers a request to upgrade with an HTTP status instead. */
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { checkObject } from "@presently/replica";

/** Writes the answer, whose body is empty, and ends the connection. */
export function refuseUpgrade(stream: Duplex, status: number): void {
  checkObject("stream", stream, ["end", "destroy"]);
  if (stream.destroyed) return;
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    () => stream.destroy(),
  );
}
