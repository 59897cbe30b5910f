/** Why could it not connect? A WebSocket never says; the same question over long-polling is answered in words. */
import type { Settings } from "./options.ts";

/**
 * Whether the server refuses whoever asks, rather than being out of reach. Never rejects; `false` too when
 * `signal` ends it.
 *
 * If it would have let us in, there is a session of long-polling now, which ends by itself after some seconds.
 */
export async function isRefused(
  { url, params, connectTimeoutMs, clock }: Settings,
  token: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const query = new URLSearchParams({ ...params, vsn: "2.0.0" });
  const headers = {
    accept: "application/json",
    ...(token !== undefined && { "x-phoenix-authtoken": token }),
  };
  const asking = new AbortController();
  const end = () => asking.abort();
  signal.addEventListener("abort", end);
  const stopTimer = clock.after(connectTimeoutMs, end);
  try {
    const response = await fetch(`${url.replace(/^ws/, "http")}/longpoll?${query}`, {
      headers,
      signal: asking.signal,
    });
    return response.status === 403 || (await response.json()).status === 403;
  } catch {
    // Out of reach, or not this protocol: trying again is all that can be done.
    return false;
  } finally {
    stopTimer();
    signal.removeEventListener("abort", end);
  }
}
