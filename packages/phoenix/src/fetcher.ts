/** Runs the application's `fetch`, and goes on without it when it fails: a client must never wait for ever, or lose a diff. */
import type { NoticeListener } from "./notice.ts";
import type { PresenceEntry, PresenceMap } from "./presence-map.ts";
import { isPromise, type MaybePromise } from "./settle.ts";

export interface FetcherOptions {
  readonly fetch: (topic: string, presences: PresenceMap) => MaybePromise<PresenceMap>;
  /** After that, presences go out as they are. */
  readonly timeoutMs: number;
  readonly notice: NoticeListener;
}

/** Gives the presences with what `fetch` adds; never throws, never rejects. */
export type Fetcher = (topic: string, presences: PresenceMap) => PresenceMap | Promise<PresenceMap>;

/** The fetcher of an application that has no `fetch`. */
export const fetchNothing: Fetcher = (_topic, presences) => presences;

export function createFetcher({ fetch, timeoutMs, notice }: FetcherOptions): Fetcher {
  const failed = (topic: string, presences: PresenceMap, error: unknown): PresenceMap => {
    const message = `fetch failed for topic ${JSON.stringify(topic)}: its presences are sent as they are`;
    notice({ type: "callback-failed", level: "error", message, callback: "fetch", topic, error });
    return presences;
  };
  return (topic, presences) => {
    try {
      const fetched = fetch(topic, presences);
      if (!isPromise(fetched)) return checkFetched(fetched, presences);
      return within(fetched, timeoutMs).then(
        (later) => {
          try {
            return checkFetched(later, presences);
          } catch (error) {
            return failed(topic, presences, error);
          }
        },
        (error) => failed(topic, presences, error),
      );
    } catch (error) {
      return failed(topic, presences, error);
    }
  };
}

/** Every key that was given must come back with its metas: a client breaks on an entry without. */
function checkFetched(fetched: unknown, presences: PresenceMap): PresenceMap {
  if (typeof fetched !== "object" || fetched === null) throw new TypeError("fetch must return a map");
  for (const key of Object.keys(presences)) {
    const entry = Object.hasOwn(fetched, key)
      ? (fetched as Record<string, PresenceEntry | undefined>)[key]
      : undefined;
    if (!Array.isArray(entry?.metas))
      throw new TypeError(`fetch must return key ${JSON.stringify(key)} with its metas`);
  }
  return fetched as PresenceMap;
}

function within<T>(promise: PromiseLike<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no answer within ${timeoutMs} ms (option fetchTimeoutMs)`));
    const timer = setTimeout(late, timeoutMs);
    promise.then(resolve, reject).then(() => clearTimeout(timer));
  });
}
