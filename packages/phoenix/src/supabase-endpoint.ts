/** A socket that is ready to use for `@supabase/realtime-js`: what `presently start --supabase` serves. */
import { type AnyNode, InvalidArgumentError } from "presently";
import {
  attach,
  type CheckOrigin,
  checkNode,
  checkObject,
  guardNotices,
  originCheck,
  type RosterOptions,
} from "presently/drop-in";
import { queryIn } from "./admission.ts";
import type { LimitOptions } from "./limits.ts";
import { LIMIT_DEFAULTS } from "./limits.ts";
import { EVENT } from "./message.ts";
import { type NoticeListener, warnOfNotice } from "./notice.ts";
import { parseParams } from "./params.ts";
import { PhoenixSocket } from "./phoenix-socket.ts";
import { SupabaseAccess } from "./supabase-access.ts";
import { type Seat, supabaseChannel, TOPIC_PREFIX } from "./supabase-channel.ts";
import { SupabaseHttp } from "./supabase-http.ts";

/** How Supabase's clients reach the ready-made socket, and how they prove who they are. */
export interface SupabaseOptions {
  /** Where clients connect. Default `/realtime/v1`. */
  readonly path?: string;
  /**
   * What API keys and access tokens are signed with: a shared text for HS256, or a public key in PEM. Without it, and
   * without the node's `access`, any API key will do.
   */
  readonly tokenSecret?: string;
  readonly checkOrigin?: CheckOrigin;
  /** What topics and keys are called in the cluster. Default: the same. */
  readonly roster?: RosterOptions;
  readonly limits?: LimitOptions;
  readonly onNotice?: NoticeListener;
}

const NO_KEY = JSON.stringify({ error: "the parameter apikey is missing" });

/**
 * Serves unmodified clients of Supabase Realtime at the node's own HTTP address: broadcast and presence. In the cluster,
 * a channel `room1` is the topic `realtime:room1`, and `private:realtime:room1` if it is private.
 *
 * @throws {InvalidArgumentError} for a node without `http`, and for options that cannot be used
 */
export function serveSupabase(node: AnyNode, options: SupabaseOptions = {}): PhoenixSocket<Seat> {
  checkNode(node);
  checkObject("options", options);
  const { path = "/realtime/v1", tokenSecret, checkOrigin, roster, limits, onNotice } = options;
  const server = node.httpServer;
  if (server === undefined) throw new InvalidArgumentError("node", "must have the option http");
  const notice = guardNotices(onNotice ?? warnOfNotice);
  const access = new SupabaseAccess(node, { roster, tokenSecret, onNotice: notice });
  const socket = new PhoenixSocket<Seat>(node, {
    tokenParam: "apikey",
    messageAs: ({ event, data }) => ({
      event: EVENT.broadcast,
      payload: { type: EVENT.broadcast, event, payload: data },
    }),
    connect: async (params, info) => {
      const { apikey } = params;
      if (typeof apikey !== "string" || apikey === "") return undefined;
      // The gate of the socket has asked the node's access already.
      if (node.access !== undefined && tokenSecret === undefined) return { who: { identity: info.identity } };
      const who = await access.identify(apikey, info);
      return who && { who };
    },
    ...(checkOrigin === undefined ? {} : { checkOrigin }),
    ...(roster === undefined ? {} : { roster }),
    ...(limits === undefined ? {} : { limits }),
    onNotice: notice,
  });
  socket.channel(`${TOPIC_PREFIX}*`, supabaseChannel(access));
  const http = new SupabaseHttp({
    node,
    access,
    checkOrigin: originCheck(checkOrigin),
    bodyBytesMax: limits?.longPollBodyBytesMax ?? LIMIT_DEFAULTS.longPollBodyBytesMax,
    broadcast: (room, event, payload) => socket.broadcast(room, event, payload),
  });
  const detach = attach(server, path, {
    request: (asked, request, response) => http.handle(asked, request, response),
    upgrade: (asked, request, stream) => {
      if (asked !== "/websocket" || parseParams(queryIn(request.url)).apikey) return false;
      const head = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-type: application/json\r\n";
      stream.on("error", () => stream.destroy());
      stream.end(`${head}content-length: ${Buffer.byteLength(NO_KEY)}\r\n\r\n${NO_KEY}`, () =>
        stream.destroy(),
      );
      return true;
    },
  });
  void node.whenStopping.then(detach);
  socket.attach(server, path);
  return socket;
}
