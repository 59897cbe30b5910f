/** Who may connect: the checks that both transports make before there is a connection. */
import type { IncomingMessage } from "node:http";
import { bearerTokenOf, type Gate, type OriginCheck, REFUSAL_STATUS } from "presently/drop-in";
import type { ConnectionInfo, Params } from "./connection-info.ts";
import type { Limits } from "./limits.ts";
import type { Callback, NoticeListener } from "./notice.ts";
import { parseParams } from "./params.ts";
import { type Serializer, serializerFor } from "./serializer.ts";
import type { MaybePromise } from "./settle.ts";

/** The connection that may be made. */
export interface Admitted {
  readonly serializer: Serializer;
  readonly info: ConnectionInfo;
  readonly assigns: unknown;
  readonly socketId: string | undefined;
  /** The connection has ended, or was never made. Further calls do nothing. */
  release(): void;
}

/** An HTTP status: 403 refused, 429 too many of one address, 500 a callback failed, 503 no room or draining. */
export type Refused = 403 | 429 | 500 | 503;

/** Of a request, what the transport has found in it. */
export interface Asked {
  readonly transport: ConnectionInfo["transport"];
  readonly authToken: string | undefined;
  /** The query, without what is the transport's own. */
  readonly query: string;
}

export interface AdmissionOptions {
  readonly connect: ((params: Params, info: ConnectionInfo) => MaybePromise<unknown>) | undefined;
  readonly id: ((assigns: unknown, info: ConnectionInfo) => string | undefined) | undefined;
  /** The parameter that carries the token for the gate. */
  readonly tokenParam: string;
  readonly checkOrigin: OriginCheck;
  readonly gate: Gate;
  /** Where a request comes from. */
  readonly addressOf: (request: IncomingMessage) => string | undefined;
  readonly limits: Limits;
  /** Connections that there are. */
  readonly connections: () => number;
  /** Whether the server takes no more of them. */
  readonly closing: () => boolean;
  readonly notice: NoticeListener;
}

export class Admission {
  readonly #options: AdmissionOptions;
  #pending = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether there may be one more connection; the answer is an HTTP status if not. Settles within `connectTimeoutMs`. */
  async admit(request: IncomingMessage, asked: Asked): Promise<Admitted | Refused> {
    const { checkOrigin, limits, connections, closing } = this.#options;
    if (closing() || connections() + this.#pending >= limits.connectionsMax) return 503;
    const { headers } = request;
    const params = parseParams(asked.query);
    const serializer = serializerFor(params.vsn);
    if (serializer === undefined || !checkOrigin(headers.origin, headers.host)) return 403;
    this.#pending++;
    try {
      return await this.#enter(request, asked, params, serializer);
    } finally {
      this.#pending--;
    }
  }

  /** Through the gate, and then past the application. */
  async #enter(
    request: IncomingMessage,
    { transport, authToken }: Asked,
    params: Params,
    serializer: Serializer,
  ): Promise<Admitted | Refused> {
    const { gate, addressOf, tokenParam } = this.#options;
    const { headers, url = "" } = request;
    const remoteAddress = addressOf(request);
    const parameter = params[tokenParam];
    const said = typeof parameter === "string" ? parameter : undefined;
    const token = authToken ?? said ?? bearerTokenOf(headers);
    const entered = await gate.admit({ token, params, headers, address: remoteAddress });
    if (!entered.ok) return REFUSAL_STATUS[entered.reason];
    const { identity, release } = entered;
    const info = { transport, authToken, params, headers, remoteAddress, identity, url };
    const connected = await this.#connect(serializer, info);
    if (typeof connected !== "number") return { ...connected, release };
    release();
    return connected;
  }

  async #connect(serializer: Serializer, info: ConnectionInfo): Promise<Omit<Admitted, "release"> | Refused> {
    const { connect, id, closing } = this.#options;
    let callback: Callback = "connect";
    try {
      const assigns = connect === undefined ? {} : await this.#inTime(connect(info.params, info));
      if (assigns === undefined || assigns === null || assigns === false) return 403;
      callback = "id";
      const socketId = await id?.(assigns, info);
      return closing() ? 503 : { serializer, info, assigns, socketId };
    } catch (error) {
      const message = `${callback} failed: a client was refused`;
      this.#options.notice({ type: "callback-failed", level: "error", message, callback, error });
      return 500;
    }
  }

  async #inTime<T>(value: MaybePromise<T>): Promise<T> {
    const { connectTimeoutMs } = this.#options.limits;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`no answer within ${connectTimeoutMs} ms (limit connectTimeoutMs)`);
      timer = setTimeout(() => reject(error), connectTimeoutMs);
    });
    try {
      return await Promise.race([value, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The query of a URL, without its mark. */
export function queryIn(url = ""): string {
  const mark = url.indexOf("?");
  return mark < 0 ? "" : url.slice(mark + 1);
}
