/** The people on a topic, one row each, each of whom can be removed. */
import { ago } from "../ago.js";
import { avatar } from "../avatar.js";
import { byId, element, reconcile, setText } from "../dom.js";
import { plural, whole } from "../numbers.js";
import { visible } from "../visible.js";

const PEOPLE_SHOWN_MAX = 100;
const NODES_SHOWN_MAX = 3;

/**
 * Shows those whose name or key contains the text, as many as a page can hold.
 *
 * @param {import("../roster.js").Person[]} people
 * @param {{ filter: string, known: boolean, onRemove: (person: { key: string, connections: number }) => void }} how
 *   `filter` in lower case; `known` tells that nobody is there from that nobody is known yet
 */
export function showRoster(people, { filter, known, onRemove }) {
  const found = filter === "" ? people : people.filter((person) => matches(person, filter));
  const shown = found.slice(0, PEOPLE_SHOWN_MAX);
  reconcile(byId("people"), shown, {
    key: ({ key }) => key,
    create: ({ key }) => createRow(key, onRemove),
    update: updateRow,
  });
  const rest = found.length - shown.length;
  byId("people-more").hidden = rest <= 0 && (found.length > 0 || !known);
  setText(byId("people-more"), rest > 0 ? `and ${whole(rest)} more: search for whom you mean` : "Nobody.");
}

function createRow(key, onRemove) {
  const row = element(
    "li",
    { "data-person": key },
    avatar(key),
    element(
      "div",
      { class: "cell-text" },
      element("bdi", { class: "cell-main name" }),
      element("span", { class: "cell-more" }),
    ),
    element(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": `Remove ${visible(key)}`,
        onclick: () => onRemove({ key, connections: row.connections }),
      },
      "Remove…",
    ),
  );
  return row;
}

function updateRow(row, { key, name, sinceMs, connections }) {
  row.connections = connections.length;
  const [main, more] = row.children[1].children;
  // The name is what they call themselves; the key is who they are.
  setText(main, name === key ? visible(key) : `${visible(name)} (${visible(key)})`);
  const nodes = [...new Set(connections.map(({ node }) => node))];
  const rest = nodes.length > NODES_SHOWN_MAX ? ` and ${nodes.length - NODES_SHOWN_MAX} more` : "";
  const via = `via ${nodes.slice(0, NODES_SHOWN_MAX).map(visible).join(", ")}${rest}`;
  const times = connections.length > 1 ? `${plural(connections.length, "connection")} ` : "";
  const since = sinceMs === undefined ? "" : ` · says since ${ago(Date.now() - sinceMs)}`;
  setText(more, times + via + since);
}

function matches({ key, name }, text) {
  return key.toLocaleLowerCase().includes(text) || name.toLocaleLowerCase().includes(text);
}
