/**
 * Where a protocol asks whether somebody may come in, and what they may do: the two hooks of `createNode({ access })`, with
 * what every protocol needs around them. Bounds by address come first, for they cost least; hooks that throw, take too
 * long or answer nonsense refuse, and are a notice; what an identity was allowed ends with it.
 */
import { InvalidArgumentError } from "@presently/replica";
import type { Access, Action, Credentials, Identity, Protocol } from "../access/access.ts";
import { askHook, type HookAnswer } from "../access/ask-hook.ts";
import type { NodeNotice } from "../notice.ts";
import { type AddressRefusal, AddressTable } from "./address-table.ts";
import { TokenBucket } from "./token-bucket.ts";

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
 * Why somebody was not let in. `unauthenticated`: the hook knows nobody by these credentials, or not any more. `too-many`:
 * their address has reached a bound. `failed`: the hook threw, took too long, or answered nonsense.
 */
export type RefusalReason = "unauthenticated" | "too-many" | "failed";

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
  /** What is left out, or undefined, has its default. */
  readonly limits?: { readonly [Limit in keyof GateLimits]?: GateLimits[Limit] | undefined };
  /** What the limits are called where they are configured; default their own names. */
  readonly limitNames?: { readonly [Limit in keyof GateLimits]?: string };
  /** Told of hooks that fail and of addresses that reach a bound: ten at once, then one a second, however many there are. */
  readonly onNotice: (notice: GateNotice) => void;
}

/** A notice of a gate. Holds no token. */
export interface GateNotice extends NodeNotice {
  /** `access-failed`: a hook threw, took too long or answered nonsense. `address-limit`: an address reached a bound. */
  readonly type: "access-failed" | "address-limit";
  readonly level: "warn";
  readonly protocol: Protocol;
  /** Notices that were not told since the last one. */
  readonly suppressed: number;
}

/** `setTimeout` cannot wait longer. */
const TIMER_MS_MAX = 2_147_483_647;

const NOTICES = { burst: 10, perSecond: 1 };

/** Counts of what a gate refused since it was made. */
export type RefusalCounts = Readonly<Record<RefusalReason | "forbidden", number>>;

export class Gate {
  readonly #access: Access | undefined;
  readonly #protocol: Protocol;
  readonly #limits: GateLimits;
  readonly #limitNames: NonNullable<GateOptions["limitNames"]>;
  readonly #onNotice: (notice: GateNotice) => void;
  readonly #addresses: AddressTable;
  readonly #notices = new TokenBucket(NOTICES, performance.now());
  #suppressed = 0;
  readonly #refused = { unauthenticated: 0, "too-many": 0, failed: 0, forbidden: 0 };

  /** @throws {InvalidArgumentError} for a limit that is no positive number */
  constructor({ access, protocol, limits = {}, limitNames = {}, onNotice }: GateOptions) {
    this.#access = access;
    this.#protocol = protocol;
    this.#limits = limitsOf(limits);
    this.#limitNames = limitNames;
    this.#onNotice = onNotice;
    const { connectionsPerAddressMax, connectsPerAddressPerSecondMax, addressesMax } = this.#limits;
    this.#addresses = new AddressTable({
      openMax: connectionsPerAddressMax,
      perSecondMax: connectsPerAddressPerSecondMax,
      addressesMax,
      sparesLoopback:
        limits.connectionsPerAddressMax === undefined && limits.connectsPerAddressPerSecondMax === undefined,
    });
  }

  /** What was refused since the start, by the reason; `forbidden` counts what `may` refused. */
  get refused(): RefusalCounts {
    return this.#refused;
  }

  /**
   * Whether somebody may come in. Never rejects; settles within `hookTimeoutMs`.
   *
   * A connection without an address (its socket is gone) is bounded with the others that have none.
   */
  async admit(credentials: Omit<Credentials, "protocol">): Promise<Admission> {
    const address = credentials.address ?? "unknown";
    const limited = this.#addresses.enter(address, performance.now());
    if (limited !== undefined) {
      this.#noteLimit(address, limited);
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
    this.#note("access-failed", `the hook ${hook} ${reason}; ${this.#protocol} refused a client`, { hook });
    return "failed";
  }

  #noteLimit(address: string, { limit }: AddressRefusal): void {
    const option = this.#limitNames[optionOf[limit]] ?? optionOf[limit];
    const facts = { address, option };
    const advice = "if it is a proxy, name it in http.trustedProxies";
    this.#note("address-limit", `${address} has reached ${option} of ${this.#protocol}; ${advice}`, facts);
  }

  /** Whoever is refused could fill a disk with it. */
  #note(type: GateNotice["type"], message: string, facts: Readonly<Record<string, unknown>>): void {
    if (!this.#notices.take(performance.now())) {
      this.#suppressed += 1;
      return;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    try {
      this.#onNotice({ ...facts, type, level: "warn", message, protocol: this.#protocol, suppressed });
    } catch (error) {
      // It must not decide who comes in.
      process.emitWarning(`onNotice threw an error: ${String(error)}`, { type: "PresentlyWarning" });
    }
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
    if (!(limit > 0)) throw new InvalidArgumentError(name, `must be a positive number, not ${limit}`);
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
