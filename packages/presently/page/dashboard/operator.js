/** What an operator does: forget a replica, remove a person. Asks first, says what came of it, and hides no failure. */
import { byId, setAttribute, setText } from "../dom.js";
import { plural } from "../numbers.js";
import { visible } from "../visible.js";
import { confirm } from "./dialogs.js";

export class Operator {
  #api;
  #askToken;
  #onDone;

  /**
   * @param {{ api: import("./api.js").Api, askToken: (why: string) => Promise<boolean>,
   *   onDone: (outcome: { ok: boolean, message: string }) => void }} options  `askToken` answers whether there is one now
   */
  constructor({ api, askToken, onDone }) {
    this.#api = api;
    this.#askToken = askToken;
    this.#onDone = onDone;
    byId("outcome-close").addEventListener("click", () => {
      byId("outcome").hidden = true;
      byId("dashboard").focus();
    });
  }

  /** @param {import("./cluster-facts.js").ReplicaFacts} replica */
  async evict({ replica, status, earlier, entries }) {
    const name = visible(replica);
    const alive = !earlier && status !== "down";
    const what = `${plural(entries, "entry", "entries")} of it ${entries === 1 ? "goes" : "go"} with it`;
    const answer = await confirm({
      title: `Forget ${name}?`,
      text: alive
        ? `It is ${status}: if it lives, its next heartbeat brings it back, and ${what} until then.`
        : `${what}. If it ever comes back, it brings along what it still holds.`,
      go: "Forget it",
      choice: "On all nodes, not only on this one",
    });
    if (answer === undefined) return;
    const path = `/api/cluster/replicas/${encodeURIComponent(replica)}${answer.chosen ? "?everywhere=true" : ""}`;
    await this.#do(`${name} was not forgotten`, path, ({ body }) => {
      if (body === undefined) return { ok: true, message: `This node has forgotten ${name}.` };
      const { forgottenBy, unanswered } = body;
      const by = `${name} was forgotten by ${listed(forgottenBy)}.`;
      if (unanswered.length === 0) return { ok: true, message: by };
      return { ok: false, message: `${by} No answer from ${listed(unanswered)}: ask there, or again.` };
    });
  }

  /** @param {{ topic: string, key: string, connections: number }} person */
  async kick({ topic, key, connections }) {
    const [who, where] = [visible(key), visible(topic)];
    const answer = await confirm({
      title: `Remove ${who}?`,
      text: `Removes ${plural(connections, "connection")} of the key ${who} from the topic ${where}, on whichever node. Nothing keeps them from coming back.`,
      go: "Remove",
    });
    if (answer === undefined) return;
    const path = `/api/topics/${encodeURIComponent(topic)}/presences/${encodeURIComponent(key)}?everywhere=true`;
    await this.#do(`${who} was not removed from ${where}`, path, () => ({
      ok: true,
      message: `${who} was removed from ${where}.`,
    }));
  }

  /** Once more with a token, if it is one that was missing: the answer to "are you sure" still holds. */
  async #do(failed, path, describe) {
    let outcome;
    try {
      outcome = describe(await this.#act(failed, path));
    } catch (error) {
      const status = error.status > 0 ? ` (${error.status}${error.code ? ` ${error.code}` : ""})` : "";
      outcome = { ok: false, message: `${failed}: ${error.message}${status}` };
    }
    setAttribute(byId("outcome"), "data-ok", String(outcome.ok));
    setText(byId("outcome-text"), outcome.message);
    byId("outcome").hidden = false;
    this.#onDone(outcome);
  }

  async #act(failed, path) {
    try {
      return await this.#api.act("DELETE", path);
    } catch (error) {
      if (!error.needsToken || !(await this.#askToken(`${failed} yet. ${this.#api.explain(error)}`)))
        throw error;
      return this.#api.act("DELETE", path);
    }
  }
}

function listed(replicas) {
  return replicas.map(visible).join(", ");
}
