/** Says that the page's node is not ready yet, and how far the state is that another one is giving it. */
import { byId, setText } from "./dom.js";

/**
 * @typedef {{ from: string, entriesReceived: number, entriesExpected: number }} Sync
 * @param {{ node: string, ready: boolean, notReadyReason: string | null, sync: Sync | null } | undefined} report
 *   as `GET /api/cluster` answers it; undefined while there is no answer, or none any more
 */
export function showSync(report) {
  const text = syncText(report);
  const panel = byId("sync");
  panel.hidden = text === undefined;
  panel.dataset.ready = String(report?.ready !== false);
  setText(byId("sync-text"), text ?? "");
  const bar = byId("sync-progress");
  bar.hidden = !report?.sync;
  if (!report?.sync) return;
  bar.max = Math.max(1, report.sync.entriesExpected);
  bar.value = report.sync.entriesReceived;
}

/** In words; undefined if there is nothing to say. */
export function syncText(report) {
  if (report === undefined) return undefined;
  const { node, ready, notReadyReason, sync } = report;
  if (sync) {
    const [come, all] = [sync.entriesReceived, sync.entriesExpected].map((count) =>
      count.toLocaleString("en"),
    );
    const giver = sync.from.slice(0, sync.from.lastIndexOf("@"));
    return `${node} is being brought up to date by ${giver}: ${come} of ${all} entries`;
  }
  return ready ? undefined : `${node} is not ready: ${notReadyReason}`;
}
