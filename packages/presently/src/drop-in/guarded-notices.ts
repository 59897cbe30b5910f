/** Stands between a server and the listener of its notices, which is the application's. */
import { callListener, checkFunction } from "@presently/replica";

/** A listener that never throws: what the given one throws, or its promise rejects with, is a warning of the process. */
export function guardNotices<Notice>(onNotice: (notice: Notice) => void): (notice: Notice) => void {
  checkFunction("onNotice", onNotice);
  return (notice) => callListener(onNotice, notice, warn);
}

function warn(error: unknown): void {
  const detail = error instanceof Error ? { detail: error.stack ?? error.message } : {};
  process.emitWarning(`onNotice threw an error: ${String(error)}`, { type: "PresentlyWarning", ...detail });
}
