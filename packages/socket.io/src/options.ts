/** How servers are joined, and with what bounds. */
import { InvalidArgumentError } from "presently";
import { checkInteger, checkOptions, guardNotices } from "presently/drop-in";
import { type NoticeListener, warnOfNotice } from "./notice.ts";

/** To which servers a broadcast goes. */
export type Routing = "auto" | "all" | "rooms";

/** Options of `presently(node, options)`; the same at all servers. */
export interface AdapterOptions {
  /** Keeps servers of one cluster apart that are not to hear each other. Default `default`. */
  readonly key?: string;
  /**
   * `rooms`: a broadcast goes to the servers that have a socket in its rooms. `all`: to every server, so that one also reaches
   * a socket whose join nobody waited for. `auto`, the default: `all` while the cluster has at most 8 nodes, else `rooms`.
   */
  readonly routing?: Routing;
  /** How long `fetchSockets` waits for `data` and `handshake` of sockets of other servers. Default 250 ms. */
  readonly askMs?: number;
  /** How long `serverSideEmit` waits for answers. Default 5,000 ms. */
  readonly serverSideEmitTimeoutMs?: number;
  /** Sockets of other servers whose `data` and `handshake`, as they were last, are kept. Default 10,000 for each namespace. */
  readonly lastCopiesMax?: number;
  /** Told what an operator should know; without it, warnings of the process. */
  readonly onNotice?: NoticeListener;
}

export interface Settings extends Required<Omit<AdapterOptions, "onNotice">> {
  readonly notice: NoticeListener;
}

const DEFAULTS = {
  key: "default",
  routing: "auto",
  askMs: 250,
  serverSideEmitTimeoutMs: 5_000,
  lastCopiesMax: 10_000,
} as const satisfies Required<Omit<AdapterOptions, "onNotice">>;

/** @throws {InvalidArgumentError} for an option that is unknown or cannot be used */
export function resolveOptions(options: AdapterOptions = {}): Settings {
  checkOptions(options, [...Object.keys(DEFAULTS), "onNotice"]);
  const { onNotice = warnOfNotice, ...others } = options;
  const given = Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined));
  const settings: Required<Omit<AdapterOptions, "onNotice">> = { ...DEFAULTS, ...given };
  const { key, routing, askMs, serverSideEmitTimeoutMs, lastCopiesMax } = settings;
  if (typeof key !== "string" || key === "")
    throw new InvalidArgumentError("options.key", "must be a non-empty string");
  if (!["auto", "all", "rooms"].includes(routing))
    throw new InvalidArgumentError("options.routing", 'must be "auto", "all" or "rooms"');
  checkInteger("options.askMs", askMs, 1);
  checkInteger("options.serverSideEmitTimeoutMs", serverSideEmitTimeoutMs, 1);
  checkInteger("options.lastCopiesMax", lastCopiesMax, 0);
  return { ...settings, notice: guardNotices(onNotice) };
}
