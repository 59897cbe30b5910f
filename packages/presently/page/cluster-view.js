/** The cluster panel: the picture, a row for each node, and in a demo the buttons that break and mend things. */
import { ago } from "./ago.js";
import { clusterModel } from "./cluster-model.js";
import { drawCluster } from "./cluster-picture.js";
import { byId, element, reconcile, setAttribute, setText } from "./dom.js";
import { showSync } from "./sync-view.js";

const STATUS_WORDS = {
  up: "up",
  suspect: "suspect",
  leaving: "leaving",
  down: "down",
  silent: "not answering",
  stopped: "stopped",
  paused: "paused",
  starting: "starting",
  unknown: "unknown",
};

const LINK_WORDS = {
  up: "up",
  indirect: "no direct link, heard through others",
  down: "no link",
  cut: "cut",
  unknown: "unknown",
};

/** To have heard of a node within a few heartbeats goes without saying. */
const HEARD_LATELY_MS = 5_000;

export class ClusterView {
  /** @type {import("./cluster-model.js").Report | undefined} */
  report;
  silent = false;
  #room = "";
  #demo;
  #parts = { picture: byId("picture"), nodesGroup: byId("picture-nodes"), linksGroup: byId("picture-links") };

  /** The controls appear with this. */
  set demo(demo) {
    this.#demo = demo;
  }

  /** Which room the links to other nodes' pages lead to. */
  set room(room) {
    this.#room = room;
  }

  show() {
    const { self, nodes, links } = clusterModel(this.report, this.silent, this.#demo?.state);
    setText(byId("cluster-view"), self === undefined ? "asking…" : `as ${self} sees it`);
    showSync(this.silent ? undefined : this.report);
    drawCluster(this.#parts, nodes, links);
    reconcile(byId("nodes"), nodes, {
      key: ({ name }) => name,
      create: ({ name }) => this.#createNode(name),
      update: (row, node) => this.#updateNode(row, node),
    });
    const cuttable = links.filter(({ cut }) => cut !== undefined);
    byId("links-section").hidden = cuttable.length === 0;
    reconcile(byId("links"), cuttable, {
      key: ({ a, b }) => `${a} ${b}`,
      create: ({ a, b }) => this.#createLink(a, b),
      update: updateLink,
    });
  }

  #createNode(name) {
    return element(
      "li",
      { "data-node": name },
      element("span", { class: "lamp", "aria-hidden": "true" }),
      element(
        "div",
        { class: "row-text" },
        element("p", {}, element("b", {}, name), " ", element("span", { class: "row-status" })),
        element("p", { class: "row-facts" }),
      ),
      element(
        "div",
        { class: "row-buttons" },
        element("a", { class: "button", target: "_blank", rel: "noopener" }, "Open"),
        element("button", { type: "button", class: "pause", onclick: (event) => this.#command(event, name) }),
        element("button", { type: "button", class: "kill", onclick: (event) => this.#command(event, name) }),
      ),
    );
  }

  #updateNode(row, node) {
    const [, text, buttons] = row.children;
    const [line, facts] = text.children;
    setAttribute(row, "data-status", node.status);
    setText(line.lastElementChild, (node.here ? "this page · " : "") + STATUS_WORDS[node.status]);
    setText(facts, factsOf(node));
    buttons.hidden = node.process === undefined;
    if (node.process === undefined) return;
    const [open, pause, kill] = buttons.children;
    open.hidden = node.here || node.process === "stopped";
    setAttribute(open, "href", `${node.url}/?room=${encodeURIComponent(this.#room)}`);
    setAttribute(open, "aria-label", `Open the page of ${node.name}`);
    const paused = node.process === "paused";
    setCommand(pause, paused ? "resume" : "pause", node.name);
    pause.hidden = node.process === "stopped" || node.process === "starting";
    setCommand(kill, node.process === "stopped" ? "restart" : "kill", node.name);
  }

  #createLink(a, b) {
    return element(
      "li",
      { "data-link": `${a} ${b}` },
      element("span", { class: "lamp", "aria-hidden": "true" }),
      element(
        "div",
        { class: "row-text" },
        element("p", {}, element("b", {}, `${a} – ${b}`), " ", element("span", { class: "row-status" })),
      ),
      element(
        "div",
        { class: "row-buttons" },
        element("button", {
          type: "button",
          class: "cut",
          onclick: ({ currentTarget }) =>
            this.#do(currentTarget, () => this.#demo.setCut(a, b, currentTarget.dataset.command === "cut")),
        }),
      ),
    );
  }

  #command({ currentTarget }, name) {
    void this.#do(currentTarget, () => this.#demo.command(name, currentTarget.dataset.command));
  }

  /** One thing at a time a button; what goes wrong is said under the rows. */
  async #do(button, act) {
    const error = byId("control-error");
    button.disabled = true;
    try {
      await act();
      error.hidden = true;
    } catch (cause) {
      setText(error, `That did not work: ${cause instanceof Error ? cause.message : String(cause)}`);
      error.hidden = false;
    } finally {
      button.disabled = false;
      this.show();
    }
  }
}

function updateLink(row, { a, b, cut, status }) {
  setAttribute(row, "data-status", status);
  setText(row.querySelector(".row-status"), LINK_WORDS[status]);
  setCommand(row.querySelector("button"), cut ? "restore" : "cut", `the link between ${a} and ${b}`);
}

function setCommand(button, command, object) {
  const word = command[0].toUpperCase() + command.slice(1);
  setAttribute(button, "data-command", command);
  setText(button, word);
  setAttribute(button, "aria-label", `${word} ${object}`);
}

function factsOf({ here, status, entries, heardAgoMs, linked, agrees }) {
  const facts = [];
  if (entries !== undefined) {
    const count = entries === 1 ? "1 entry" : `${entries.toLocaleString("en")} entries`;
    facts.push(status === "down" && entries > 0 ? `${count} hidden` : count);
  }
  if (heardAgoMs >= HEARD_LATELY_MS) facts.push(`heard ${ago(heardAgoMs)}`);
  if (!here && status === "up" && !linked) facts.push("via others");
  if (agrees !== undefined) facts.push(agrees ? "agrees" : "catching up");
  return facts.join(" · ");
}
