/** The truth about what is on the page: how fresh it is, and what is being done about it. */
import { ago } from "./ago.js";
import { byId, setAttribute, setText } from "./dom.js";

const TEXTS = {
  idle: (node) => `On ${node}`,
  connecting: (node) => `Connecting to ${node}…`,
  live: (node) => `Live on ${node}`,
  waiting: (node) => `Reconnecting to ${node}…`,
  silent: (node) => `${node} is not answering`,
};

/**
 * @param {{ node: string, silent: boolean, presence?: { status: import("./topic-stream.js").StreamStatus,
 *   lostAtMs: number | undefined } }} facts  `presence` while the page is in a room
 */
export function showConnection({ node, silent, presence }) {
  const state = connectionState(silent, presence);
  const pill = byId("connection");
  setAttribute(pill, "data-state", state);
  // Without the countdown: a screen reader reads it out whenever it changes.
  setText(byId("connection-text"), TEXTS[state](node));
  pill.hidden = false;
  const stale = presence !== undefined && (state === "silent" || presence.lostAtMs !== undefined);
  setAttribute(byId("room"), "data-stale", stale);
  byId("notice").hidden = !stale;
  if (stale) setText(byId("notice"), state === "silent" ? silentText(node) : lostText(presence));
}

function connectionState(silent, presence) {
  if (presence === undefined) return silent ? "silent" : "idle";
  const { kind } = presence.status;
  // A stream that is open and silent looks like one on which nothing happens; the poll tells them apart.
  return kind === "live" && silent ? "silent" : kind;
}

function silentText(node) {
  return `${node} keeps the connection open but says nothing. This is who was here when it last did.`;
}

function lostText({ status, lostAtMs }) {
  const inS = status.kind === "waiting" ? Math.ceil((status.retryAtMs - performance.now()) / 1000) : 0;
  const next = inS > 0 ? `Trying again in ${inS} s.` : "Trying again now.";
  return `This is who was here when the connection was lost, ${ago(performance.now() - lostAtMs)}. ${next}`;
}
