/** Who a client of Supabase is by its tokens, and what it may do: by the node's `access`, or by one secret. */
import { type AnyNode, type JwtVerifier, jwtVerifier } from "presently";
import {
  type Gate,
  type Identity,
  openGate,
  Permissions,
  RosterNames,
  type RosterOptions,
} from "presently/drop-in";
import type { ConnectionInfo } from "./connection-info.ts";
import type { NoticeListener } from "./notice.ts";

/** Somebody who is known; without an identity where everybody may do everything. */
export interface Known {
  readonly identity: Identity | undefined;
}

/** How a token came. */
export type Shown = Pick<ConnectionInfo, "params" | "headers" | "remoteAddress">;

export interface SupabaseAccessOptions {
  readonly roster: RosterOptions | undefined;
  readonly tokenSecret: string | undefined;
  readonly onNotice: NoticeListener;
}

export class SupabaseAccess {
  readonly #node: AnyNode;
  readonly #gate: Gate;
  readonly #permissions: Permissions | undefined;
  readonly #verify: JwtVerifier | undefined;

  /** @throws {InvalidArgumentError} for a secret that cannot be used */
  constructor(node: AnyNode, { roster, tokenSecret, onNotice }: SupabaseAccessOptions) {
    this.#node = node;
    this.#gate = openGate(node, { protocol: "phoenix", onNotice });
    this.#permissions = Permissions.of(node.access, this.#gate, new RosterNames(roster));
    this.#verify = tokenSecret === undefined ? undefined : jwtVerifier({ secret: tokenSecret });
  }

  /** Undefined for a token that is not valid now. Never rejects. */
  async identify(token: string, { params, headers, remoteAddress }: Shown): Promise<Known | undefined> {
    if (this.#verify !== undefined) {
      const verdict = await this.#verify(token);
      if (!verdict.ok) return undefined;
      const { sub, exp } = verdict.claims;
      const expires = exp === undefined ? {} : { expiresAtMs: exp * 1_000 };
      return { identity: { id: sub ?? "anonymous", claims: verdict.claims, ...expires } };
    }
    if (this.#node.access === undefined) return { identity: undefined };
    const entered = await this.#gate.admit({ token, params, headers, address: remoteAddress });
    if (!entered.ok) return undefined;
    // The connection is counted by its socket already.
    entered.release();
    return { identity: entered.identity };
  }

  /** Whether they may do it in a room of the cluster. Never rejects. */
  async may(kind: "watch" | "publish" | "track", who: Known, room: string, key = ""): Promise<boolean> {
    if (this.#permissions === undefined) return true;
    return kind === "track"
      ? this.#permissions.track(who.identity, room, key)
      : this.#permissions[kind](who.identity, room);
  }

  /** Calls back when the identity expires. @returns what ends it */
  onExpire(who: Known, callback: () => void): () => void {
    return this.#gate.onExpire(who.identity, callback);
  }
}
