/** The demo's supervisor, if this page belongs to a demo: what it says, and what it can be told to do. */

/** To say how things are takes no time; to start a node again may. */
const TIMEOUT_MS = { GET: 2_500, POST: 30_000 };

/** Gives the control of the demo that this node belongs to; undefined if it belongs to none. */
export async function findDemo() {
  try {
    const response = await fetch("/demo.json");
    const { control } = await response.json();
    return typeof control === "string" ? new DemoControl(control) : undefined;
  } catch {
    // The node went away between the page and this question. The page works as one without a demo.
    return undefined;
  }
}

class DemoControl {
  #url;
  /** @type {import("./cluster-model.js").DemoState | undefined} */
  state;

  constructor(url) {
    this.#url = url;
  }

  /** Reads the state; it becomes undefined when the supervisor does not answer. */
  async refresh() {
    try {
      await this.#ask("GET", "/state");
    } catch {
      // The demo was stopped. The page goes on as one of a node without a demo.
      this.state = undefined;
    }
  }

  /** @throws {Error} with what the supervisor said, or that it said nothing */
  async setCut(a, b, cut) {
    await this.#ask("POST", `/links/${encodeURIComponent(a)}/${encodeURIComponent(b)}`, { cut });
  }

  /** @param {"kill" | "restart" | "pause" | "resume"} action  @throws {Error} as `setCut` */
  async command(node, action) {
    await this.#ask("POST", `/nodes/${encodeURIComponent(node)}/${action}`);
  }

  async #ask(method, path, body) {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS[method]),
      ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error?.message ?? `the demo answered ${response.status}`);
    this.state = answer;
  }
}
