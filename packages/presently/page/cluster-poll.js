/** Asks every second, while the page can be seen, how the cluster looks from this node. */

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 2_500;

/**
 * Gives a function that asks at once. `onAnswer` gets the answer; `onSilence` the milliseconds since the last one (since
 * the start, if there was none) whenever a request fails.
 *
 * @param {{ url: string, onAnswer: (body: any) => void, onSilence: (silentMs: number) => void }} options
 */
export function pollCluster({ url, onAnswer, onSilence }) {
  let answeredAtMs = performance.now();
  let timer;
  let asking = false;

  async function ask() {
    clearTimeout(timer);
    if (asking || document.hidden) return;
    asking = true;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
      if (!response.ok) throw new Error(`${url} answered ${response.status}`);
      const body = await response.json();
      answeredAtMs = performance.now();
      onAnswer(body);
    } catch {
      // Whatever went wrong, what there is to say is how long nothing has been heard.
      onSilence(performance.now() - answeredAtMs);
    } finally {
      asking = false;
      timer = setTimeout(ask, INTERVAL_MS);
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    // A page that was hidden did not listen: the silence is its own.
    answeredAtMs = performance.now();
    void ask();
  });
  void ask();
  return ask;
}
