/** The people in the room, one card each. */
import { duration } from "./ago.js";
import { avatar } from "./avatar.js";
import { deviceKind } from "./device.js";
import { element, reconcile, setAttribute, setText, shape } from "./dom.js";
import { visible } from "./visible.js";

/** Each card costs a little each second; who wants to read more than that wants the API. */
const PEOPLE_SHOWN_MAX = 200;
const CONNECTIONS_SHOWN_MAX = 4;
/** Who says to be here for longer has a wrong clock, or is not serious. */
const STAY_MAX_MS = 10 * 365 * 86_400_000;

const ICONS = {
  phone: "M5 1.5h6a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1zM7 12.5h2",
  tablet: "M3.5 1.5h9a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1zM7 12.5h2",
  desktop:
    "M2 2.5h12a.5.5 0 0 1 .5.5v7.5a.5.5 0 0 1-.5.5H2a.5.5 0 0 1-.5-.5V3a.5.5 0 0 1 .5-.5zM5 13.5h6M8 11v2.5",
};

/**
 * @param {{ list: Element, more: Element }} parts
 * @param {import("./roster.js").Person[]} people
 * @param {string} ownKey
 */
export function showPeople({ list, more }, people, ownKey) {
  const shown = people.slice(0, PEOPLE_SHOWN_MAX);
  reconcile(list, shown, {
    key: ({ key }) => key,
    create: ({ key }) => createCard(key, key === ownKey),
    update: updateCard,
  });
  const rest = people.length - shown.length;
  setText(more, rest > 0 ? `and ${rest.toLocaleString("en")} more` : "");
  more.hidden = rest <= 0;
}

function createCard(key, isYou) {
  const name = element("bdi", { class: "person-name" });
  return element(
    "li",
    { class: isYou ? "person you" : "person", "data-person": key },
    avatar(key),
    element(
      "div",
      { class: "person-who" },
      element(
        "p",
        { class: "person-line" },
        name,
        ...(isYou ? [element("span", { class: "tag" }, "you")] : []),
      ),
      element("p", { class: "person-since" }),
    ),
    // For the eye: to the ear, the list of connections says how long it is.
    element("span", { class: "person-count", "aria-hidden": "true" }),
    element("ul", { class: "connections", "aria-label": "Connections" }),
  );
}

function updateCard(card, { name, sinceMs, connections }) {
  const [, who, count, list] = card.children;
  const [line, since] = who.children;
  setText(line.firstElementChild, visible(name));
  setAttribute(line.firstElementChild, "title", visible(name));
  setText(since, hereFor(Date.now() - sinceMs));
  setSince(since, sinceMs);
  setText(count, connections.length > 1 ? `×${connections.length}` : "");
  setAttribute(count, "title", connections.length > 1 && `${connections.length} connections`);
  showConnections(list, connections);
}

/** In minutes and more: a card that counted seconds would be drawn again each second. */
function hereFor(elapsedMs) {
  if (!(elapsedMs <= STAY_MAX_MS)) return "here";
  return elapsedMs < 60_000 ? "just came" : `here for ${duration(elapsedMs)}`;
}

/** The date as the reader writes it, made only when it changes: for 200 cards it would cost more than all else. */
function setSince(since, sinceMs) {
  if (since.dataset.since === String(sinceMs)) return;
  since.dataset.since = String(sinceMs);
  const date = new Date(sinceMs ?? Number.NaN);
  setAttribute(since, "title", !Number.isNaN(date.valueOf()) && `since ${date.toLocaleString()}`);
}

function showConnections(list, connections) {
  const shown = connections.slice(0, CONNECTIONS_SHOWN_MAX);
  const rest = connections.length - shown.length;
  reconcile(list, rest > 0 ? [...shown, { ref: "", rest }] : shown, {
    key: ({ ref }) => ref,
    create: (connection) => (connection.ref === "" ? element("li", {}) : createConnection(connection)),
    update: (row, connection) => connection.ref === "" && setText(row, `and ${connection.rest} more`),
  });
}

/** A connection never changes: an update of it has another ref. */
function createConnection({ device = "unknown device", node }) {
  return element(
    "li",
    {},
    shape(
      "svg",
      { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" },
      shape("path", { d: ICONS[deviceKind(device)] }),
    ),
    element("bdi", { class: "device", title: visible(device) }, visible(device)),
    element("span", { class: "via" }, element("span", { class: "visually-hidden" }, "through node "), node),
  );
}
