/**
 * Where a protocol asks whether somebody may come in, and what they may do: the two hooks of `createNode({ access })`, with
 * what every protocol needs around them. Bounds by address come first, for they cost least; hooks that throw, take too
 * long or answer nonsense refuse, and are a notice; what an identity was allowed ends with it.
 */
import { checkFunction, checkObject, InvalidArgumentError } from "@presently/replica";
import type { Access, Action, Credentials, Identity, Protocol } from "../access/access.ts";
import { askHook, type HookAnswer } from "../access/ask-hook.ts";
import { AddressTable } from "./address-table.ts";
import { newTally, type RefusalCounts, type RefusalTally } from "./refusal-counts.ts";
import { type GateNotice, RefusalNotices } from "./refusal-notices.ts";

/**
 * The bounds of a gate. Those of an address hold for each protocol of a node apart. By default they spare loopback, where
 * there is often a proxy that stands for many; as soon as one of them is given, they hold for every address.
 */
export interface GateLimits {
  /** Connections from one address at a time (IPv6: from one /64); default 1,000. */
  readonly connectionsPerAddressMax: number;
  /** Connections that one address may begin in a second; as many may come at once; default 100. */
  readonly connectsPerAddressPerSecondMax: number;
  /** Addresses known at a time; one with nothing open makes room for another; default 65,536. */
  readonly addressesMax: number;
  /** How long a hook may take to answer; default 5,000. */
  readonly hookTimeoutMs: number;
}

/** The defaults of `GateLimits`. */
export const GATE_DEFAULTS: GateLimits = {
  connectionsPerAddressMax: 1_000,
  connectsPerAddressPerSecondMax: 100,
  addressesMax: 65_536,
  hookTimeoutMs: 5_000,
};

/**
 * Why somebody was not let in. `starting`: the node is not ready yet; they should try again.
 * `unauthenticated`: the hook knows nobody by these credentials, or not any more. `too-many`: their address has reached a
 * bound. `failed`: the hook threw, took too long, or returned nonsense.
 */
export type RefusalReason = "starting" | "unauthenticated" | "too-many" | "failed";

/** The HTTP status that says so. */
export const REFUSAL_STATUS = {
  starting: 503,
  unauthenticated: 403,
  "too-many": 429,
  failed: 500,
} as const satisfies Record<RefusalReason, number>;

/** Somebody was let in, or not. Whoever is in must be released once, when their connection has ended. */
export type Admission =
  | {
      readonly ok: true;
      /** Who it is; undefined without access, where everybody may do everything. */
      readonly identity: Identity | undefined;
      /** The connection has ended. Further calls do nothing. */
      release(): void;
    }
  | {
      readonly ok: false;
      readonly reason: RefusalReason;
      /** After which pause asking again makes sense; of `too-many` only. */
      readonly retryAfterMs?: number;
    };

/** What a gate is made of. */
export interface GateOptions {
  /** `node.access`. Without it everybody may do everything, within the bounds by address. */
  readonly access: Access | undefined;
  readonly protocol: Protocol;
  /** Whether the node is not ready for clients yet. Default: it is. */
  readonly starting?: () => boolean;
  /** What is left out, or undefined, has its default. */
  readonly limits?: { readonly [Limit in keyof GateLimits]?: GateLimits[Limit] | undefined };
  /** What the limits are called where they are configured; default their own names. */
  readonly limitNames?: { readonly [Limit in keyof GateLimits]?: string };
  /** Where refusals are counted, besides others' if they are given the same. Default: a tally of its own. */
  readonly tally?: RefusalTally;
  /** Told of hooks that fail and of addresses that reach a bound: ten at once, then one a second, however many there are. */
  readonly onNotice: (notice: GateNotice) => void;
}

/** `setTimeout` cannot wait longer. */
const TIMER_MS_MAX = 2_147_483_647;

/**
 * Decides for one protocol of a node who may come in and what they may do, and counts whom it refused. Never throws once it is
 * made: what cannot be decided is refused. Without `access` only the bounds of addresses hold.
 */
export class Gate {
  readonly #access: Access | undefined;
  readonly #protocol: Protocol;
  readonly #starting: () => boolean;
  readonly #limits: GateLimits;
  readonly #limitNames: NonNullable<GateOptions["limitNames"]>;
  readonly #addresses: AddressTable;
  readonly #notices: RefusalNotices;
  readonly #refused: RefusalTally;

  /** @throws {InvalidArgumentError} for a limit that is no positive number */
  constructor(options: GateOptions) {
    checkObject("options", options);
    const { access, protocol, limits = {}, limitNames = {}, tally = newTally(), onNotice } = options;
    if (access !== undefined) checkObject("access", access, ["authenticate", "authorize"]);
    checkObject("limits", limits);
    checkFunction("onNotice", onNotice);
    this.#starting = options.starting ?? (() => false);
    this.#access = access;
    this.#protocol = protocol;
    this.#limits = limitsOf(limits);
    this.#limitNames = limitNames;
    this.#refused = tally;
    this.#notices = new RefusalNotices(protocol, onNotice);
    const { connectionsPerAddressMax, connectsPerAddressPerSecondMax, addressesMax } = this.#limits;
    this.#addresses = new AddressTable({
      openMax: connectionsPerAddressMax,
      perSecondMax: connectsPerAddressPerSecondMax,
      addressesMax,
      sparesLoopback:
        limits.connectionsPerAddressMax === undefined && limits.connectsPerAddressPerSecondMax === undefined,
    });
  }

  /** What its tally counts, by the reason; `forbidden` is what `may` refused. */
  get refused(): RefusalCounts {
    return this.#refused;
  }

  /**
   * Whether somebody may come in. Never rejects; settles within `hookTimeoutMs`.
   *
   * A connection without an address (its socket is gone) is bounded with the others that have none.
   */
  async admit(credentials: Omit<Credentials, "protocol">): Promise<Admission> {
    checkObject("credentials", credentials);
    if (this.#starting()) return this.#refuse("starting");
    const address = credentials.address ?? "unknown";
    const limited = this.#addresses.enter(address, performance.now());
    if (limited !== undefined) {
      const option = optionOf[limited.limit];
      this.#notices.limitReached(address, this.#limitNames[option] ?? option);
      return { ...this.#refuse("too-many"), retryAfterMs: limited.retryAfterMs };
    }
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      this.#addresses.leave(address);
    };
    const who = await this.#identify(credentials);
    if (typeof who === "string") {
      release();
      return this.#refuse(who);
    }
    return { ok: true, identity: who.identity, release };
  }

  /**
   * Whether they may do it. Never rejects; settles within `hookTimeoutMs`. False for an identity that has expired, and for
   * none where there is access; without access always true.
   */
  async may(identity: Identity | undefined, action: Action): Promise<boolean> {
    const allowed = await this.#ask(identity, action);
    if (!allowed) this.#refused.forbidden += 1;
    return allowed;
  }

  /**
   * Calls `callback` when the identity expires, on a turn of its own; at once if it has already. Never, if it does not.
   * The timer does not keep the process alive.
   *
   * @returns what ends it; must be called when the connection closes earlier
   */
  onExpire(identity: Identity | undefined, callback: () => void): () => void {
    checkFunction("callback", callback);
    if (identity?.expiresAtMs === undefined) return () => undefined;
    const { expiresAtMs } = identity;
    if (expiresAtMs === Number.POSITIVE_INFINITY) return () => undefined;
    let timer: NodeJS.Timeout;
    const wait = () => {
      const leftMs = expiresAtMs - Date.now();
      timer = setTimeout(
        () => (hasExpired(identity) ? callback() : wait()),
        Math.max(0, Math.min(leftMs, TIMER_MS_MAX)),
      ).unref();
    };
    wait();
    return () => clearTimeout(timer);
  }

  async #identify(
    credentials: Omit<Credentials, "protocol">,
  ): Promise<{ readonly identity: Identity | undefined } | "unauthenticated" | "failed"> {
    const access = this.#access;
    if (access === undefined) return { identity: undefined };
    const asked = { ...credentials, protocol: this.#protocol };
    const answer = await askHook(() => access.authenticate(asked), this.#limits.hookTimeoutMs);
    if (!answer.ok) return this.#failed("authenticate", answer);
    const identity: unknown = answer.value;
    // Hooks are often JavaScript: null, and false, are how it says that there is nobody.
    if (identity === undefined || identity === null || identity === false) return "unauthenticated";
    if (!isIdentity(identity)) {
      const error =
        "it answered neither undefined nor an identity with an id, claims and, if any, expiresAtMs";
      return this.#failed("authenticate", { ok: false, why: "failed", error });
    }
    return hasExpired(identity) ? "unauthenticated" : { identity };
  }

  async #ask(identity: Identity | undefined, action: Action): Promise<boolean> {
    const access = this.#access;
    if (access === undefined) return true;
    if (identity === undefined || hasExpired(identity)) return false;
    const answer = await askHook(() => access.authorize(identity, action), this.#limits.hookTimeoutMs);
    if (!answer.ok) this.#failed("authorize", answer);
    // It may have expired while the hook was asked.
    return answer.ok && answer.value === true && !hasExpired(identity);
  }

  #refuse(reason: RefusalReason): { readonly ok: false; readonly reason: RefusalReason } {
    this.#refused[reason] += 1;
    return { ok: false, reason };
  }

  #failed(hook: keyof Access, { why, error }: HookAnswer<never> & { readonly ok: false }): "failed" {
    const reason =
      why === "timeout"
        ? `took longer than ${this.#limits.hookTimeoutMs} ms`
        : `failed: ${error instanceof Error ? error.message : String(error)}`;
    this.#notices.hookFailed(hook, reason, error instanceof Error ? error : undefined);
    return "failed";
  }
}

const optionOf = {
  openMax: "connectionsPerAddressMax",
  perSecondMax: "connectsPerAddressPerSecondMax",
  addressesMax: "addressesMax",
} as const;

function limitsOf(given: NonNullable<GateOptions["limits"]>): GateLimits {
  const limits: Record<string, number> = {};
  for (const [name, byDefault] of Object.entries(GATE_DEFAULTS)) {
    const limit = given[name as keyof GateLimits] ?? byDefault;
    if (typeof limit !== "number" || !(limit > 0))
      throw new InvalidArgumentError(name, `must be a positive number, not ${String(limit)}`);
    limits[name] = limit;
  }
  return limits as unknown as GateLimits;
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== "object" || value === null) return false;
  const { id, claims, expiresAtMs } = value as Record<string, unknown>;
  return (
    typeof id === "string" &&
    id !== "" &&
    typeof claims === "object" &&
    claims !== null &&
    (expiresAtMs === undefined || (typeof expiresAtMs === "number" && !Number.isNaN(expiresAtMs)))
  );
}

/** An identity counts until the millisecond before. */
function hasExpired({ expiresAtMs }: Identity): boolean {
  return expiresAtMs !== undefined && Date.now() >= expiresAtMs;
}
