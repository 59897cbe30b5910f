/** The time between a request to upgrade and its WebSocket, in which a client may already be gone. */
import type { Duplex } from "node:stream";
import { checkFunction, checkObject } from "@presently/replica";
import { refuseUpgrade } from "./refuse-upgrade.ts";

/** A connection that may be made. */
interface Releasable {
  /** It has ended, or was never made. Further calls do nothing. */
  release(): void;
}

/**
 * Answers a request to upgrade in any case: with the HTTP status that `admit` gives, or by `accept`, which makes a
 * WebSocket of it. However it ends, `release` is called.
 *
 * @param admit may settle later; must not reject
 */
export async function admitUpgrade<Admitted extends Releasable>(
  stream: Duplex,
  admit: () => number | Promise<Admitted | number>,
  accept: (admitted: Admitted) => void,
): Promise<void> {
  checkObject("stream", stream, ["on", "off", "once", "end", "destroy"]);
  checkFunction("admit", admit);
  checkFunction("accept", accept);
  // Without a listener, a client that is gone before the answer would end the process.
  const gone = () => stream.destroy();
  stream.on("error", gone);
  const admitted = await admit();
  if (typeof admitted === "number") refuseUpgrade(stream, admitted);
  else if (stream.destroyed) admitted.release();
  else {
    stream.off("error", gone);
    // A handshake that the library refuses is told to nobody.
    stream.once("close", () => admitted.release());
    accept(admitted);
  }
}
