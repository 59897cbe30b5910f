/** Who may connect: the checks that both transports make before there is a connection. */
import type { IncomingMessage } from "node:http";
import type { OriginCheck } from "presently/drop-in";
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
}

/** An HTTP status: 403 refused, 500 a callback failed, 503 no room or draining. */
export type Refused = 403 | 500 | 503;

export interface AdmissionOptions {
  readonly connect: ((params: Params, info: ConnectionInfo) => MaybePromise<unknown>) | undefined;
  readonly id: ((assigns: unknown, info: ConnectionInfo) => string | undefined) | undefined;
  readonly checkOrigin: OriginCheck;
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
  async admit(
    request: IncomingMessage,
    from: Pick<ConnectionInfo, "transport" | "authToken">,
  ): Promise<Admitted | Refused> {
    const { checkOrigin, limits, connections, closing } = this.#options;
    if (closing() || connections() + this.#pending >= limits.connectionsMax) return 503;
    const { headers } = request;
    const url = request.url ?? "";
    const params = parseParams(url.slice(url.indexOf("?") + 1 || url.length));
    const serializer = serializerFor(params.vsn);
    if (serializer === undefined || !checkOrigin(headers.origin, headers.host)) return 403;
    const info = { ...from, params, headers, remoteAddress: request.socket.remoteAddress, url };
    this.#pending++;
    try {
      return await this.#connect(serializer, info);
    } finally {
      this.#pending--;
    }
  }

  async #connect(serializer: Serializer, info: ConnectionInfo): Promise<Admitted | Refused> {
    const { connect, id, closing } = this.#options;
    let callback: Callback = "connect";
    try {
      const assigns = connect === undefined ? {} : await this.#inTime(connect(info.params, info));
      if (assigns === undefined || assigns === null || assigns === false) return 403;
      callback = "id";
      const socketId = id?.(assigns, info);
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
