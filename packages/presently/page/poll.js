/** Asks a node again and again, while the page can be seen. */

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 2_500;
/** However long an answer takes to make, what asks for it often shall not be why. */
const REST_MAX_MS = 30_000;

/**
 * Gives a function that asks at once. `onAnswer` gets the answer; `onSilence` the milliseconds since the last one (since
 * the start, if there was none), and why, whenever a request fails.
 *
 * @param {{ read: (signal: AbortSignal) => Promise<any>, onAnswer: (body: any) => void,
 *   onSilence: (silentMs: number, cause: unknown) => void, intervalMs?: number, restFactor?: number }} options
 *   after an answer it rests for `intervalMs`, or `restFactor` times what the answer took if that is longer
 */
export function poll({ read, onAnswer, onSilence, intervalMs = INTERVAL_MS, restFactor = 0 }) {
  let answeredAtMs = performance.now();
  let timer;
  let asking = false;
  let again = false;

  async function ask() {
    clearTimeout(timer);
    if (document.hidden) return;
    again = asking;
    if (asking) return;
    asking = true;
    const askedAtMs = performance.now();
    let restMs = intervalMs;
    try {
      const body = await read(AbortSignal.timeout(TIMEOUT_MS));
      answeredAtMs = performance.now();
      restMs = Math.max(restMs, Math.min(REST_MAX_MS, restFactor * (answeredAtMs - askedAtMs)));
      onAnswer(body);
    } catch (cause) {
      // Whatever went wrong, what there is to say is how long nothing has been heard.
      onSilence(performance.now() - answeredAtMs, cause);
    } finally {
      asking = false;
      timer = setTimeout(ask, again ? 0 : restMs);
      again = false;
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
