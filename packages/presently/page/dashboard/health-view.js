/** The summary on top: how the cluster is, and what of it needs looking at. */
import { byId, element, reconcile, setAttribute, setText } from "../dom.js";
import { whole } from "../numbers.js";
import { healthOf } from "./health.js";

const CONCERNS_SHOWN_MAX = 8;

/** @param {string | undefined} refusal  why the node refuses to say anything */
export function showHealth(facts, nowMs, refusal) {
  const health =
    refusal === undefined || (facts.report !== undefined && !facts.isSilent(nowMs))
      ? healthOf(facts, nowMs)
      : { level: "unknown", title: "This node asks for a token", detail: refusal, concerns: [] };
  setAttribute(byId("health"), "data-level", health.level);
  setText(byId("health-title"), health.title);
  setText(byId("health-detail"), health.detail ?? "");
  const shown = health.concerns.slice(0, CONCERNS_SHOWN_MAX);
  const rest = health.concerns.length - shown.length;
  if (rest > 0) shown.push({ level: "note", text: `and ${whole(rest)} more` });
  byId("concerns").hidden = shown.length === 0;
  reconcile(byId("concerns"), shown, {
    key: ({ level, text }) => `${level} ${text}`,
    create: ({ level, text }) =>
      element(
        "li",
        { "data-level": level },
        element("span", { class: "lamp", "aria-hidden": "true" }),
        element("span", {}, text, element("span", { class: "muted" })),
      ),
    update: (row, { detail }) =>
      setText(row.lastElementChild.lastElementChild, detail === undefined ? "" : ` · ${detail}`),
  });
}
