/** The table of replicas: one row for each life of each node. */
import { ago, lasting } from "../ago.js";
import { byId, element, reconcile, setAttribute, setText } from "../dom.js";
import { bytes, milliseconds, plural, short, whole } from "../numbers.js";
import { visible } from "../visible.js";
import { syncText } from "./health.js";

/** Those that need looking at come first, so that nothing of concern is left out. */
const ROWS_MAX = 100;
/** To agree within a few heartbeats is to agree. */
const AGREED_LATELY_MS = 3_000;
const HEARD_LATELY_MS = 5_000;

/** @param {import("./cluster-facts.js").ReplicaFacts[]} replicas */
export function showReplicas(replicas, { onEvict }) {
  const shown = replicas.slice(0, ROWS_MAX);
  reconcile(byId("replicas"), shown, {
    key: ({ replica }) => replica,
    create: (replica) => createRow(replica, onEvict),
    update: updateRow,
  });
  const more = byId("replicas-more");
  more.hidden = shown.length === replicas.length;
  setText(more, `and ${whole(replicas.length - shown.length)} more, about which there is less to say`);
}

const CELLS = ["Link", "Traffic", "Agreed", "Entries", "Changes"];

function createRow({ replica, name }, onEvict) {
  const row = element(
    "tr",
    { "data-replica": replica, "data-node": name },
    element(
      "th",
      { scope: "row" },
      element("span", { class: "lamp", "aria-hidden": "true" }),
      element(
        "div",
        { class: "cell-text" },
        element("bdi", { class: "cell-main name" }, visible(name)),
        element("span", { class: "cell-status" }),
        element("span", { class: "cell-more" }),
      ),
    ),
    ...CELLS.map((label) =>
      element(
        "td",
        { "data-label": label },
        element("span", { class: "cell-main" }),
        element("span", { class: "cell-more" }),
      ),
    ),
    element(
      "td",
      { class: "cell-action" },
      element(
        "button",
        {
          type: "button",
          class: "quiet",
          "aria-label": `Forget ${visible(replica)}`,
          onclick: () => onEvict(row.facts),
        },
        "Forget…",
      ),
    ),
  );
  keepRoles(row);
  return row;
}

const ROLES = {
  table: "table",
  thead: "rowgroup",
  tbody: "rowgroup",
  tr: "row",
  th: "columnheader",
  td: "cell",
};

/** On a phone CSS makes each row a card, and in some browsers takes away with that what a table is to those who hear it. */
function keepRoles(part) {
  for (const each of [part, ...part.querySelectorAll("*")]) {
    const role = each.getAttribute("scope") === "row" ? "rowheader" : ROLES[each.localName];
    if (role !== undefined) each.setAttribute("role", role);
  }
}

keepRoles(byId("replicas").parentElement);

function updateRow(row, facts) {
  row.facts = facts;
  setAttribute(row, "data-status", facts.silent ? "unknown" : facts.here ? "up" : facts.status);
  setAttribute(row, "data-earlier", facts.earlier);
  const [head, link, traffic, agreed, entries, changes, action] = row.children;
  const [, status, more] = head.lastElementChild.children;
  setText(status, statusText(facts));
  setText(
    more,
    [facts.version && `v${facts.version}`, `incarnation ${facts.incarnation}`].filter(Boolean).join(" · "),
  );
  fill(link, linkText(facts));
  fill(traffic, trafficText(facts));
  fill(agreed, agreedText(facts));
  fill(entries, [
    whole(facts.entries),
    facts.status === "down" && facts.entries > 0 ? "hidden" : syncText(facts.sync),
  ]);
  fill(changes, changesText(facts));
  action.firstElementChild.hidden = facts.here;
}

function fill(cell, [main, more = ""]) {
  setText(cell.firstElementChild, main);
  setText(cell.lastElementChild, more);
}

function statusText({ here, earlier, silent, status, heardAgoMs }) {
  if (here) return "this node";
  if (silent) return `was ${status}`;
  if (earlier) return `an earlier life, ${status}`;
  return heardAgoMs >= HEARD_LATELY_MS ? `${status} · heard ${ago(heardAgoMs)}` : status;
}

function linkText({ here, silent, linked, status, roundTripMs, waitingBytes }) {
  if (here) return ["–"];
  if (silent) return ["not known"];
  if (!linked) return status === "up" ? ["relayed", "no link; heard through others"] : ["none"];
  const waiting = waitingBytes > 0 ? `${bytes(waitingBytes)} wait to be sent` : "direct";
  return [roundTripMs === undefined ? "direct" : milliseconds(roundTripMs), waiting];
}

function trafficText({ here, silent, linked, inPerSecond, outPerSecond }) {
  if (here || silent || !linked) return ["–"];
  if (inPerSecond === undefined || outPerSecond === undefined) return ["…", "not measured yet"];
  return [`in ${bytes(inPerSecond)}/s`, `out ${bytes(outPerSecond)}/s`];
}

function agreedText({ here, silent, agrees, agreedAgoMs, behind }) {
  if (here) return ["–"];
  if (silent) return ["not known"];
  const lag = behind > 0 ? `${plural(behind, "change")} behind` : undefined;
  if (agrees === undefined) {
    return ["not known", agreedAgoMs === undefined ? lag : `last ${ago(agreedAgoMs)}`];
  }
  if (agrees || agreedAgoMs < AGREED_LATELY_MS) return ["agrees", lag ?? `checked ${ago(agreedAgoMs)}`];
  return ["differs", lag ?? (agreedAgoMs === undefined ? "never agreed" : `for ${lasting(agreedAgoMs)}`)];
}

function changesText({ events, changesPerSecond }) {
  return [whole(events), changesPerSecond === undefined ? "" : `${short(changesPerSecond)}/s`];
}
