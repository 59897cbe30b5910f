/** What a process of a group does with requests before its node sees them. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { attach } from "../../drop-in/attachment.ts";
import { refuseUpgrade } from "../../drop-in/refuse-upgrade.ts";
import { sendReply } from "../../http/json.ts";
import type { PresentlyNode } from "../../node.ts";
import type { Affinity, Slot } from "./affinity.ts";
import type { Relay } from "./relay.ts";

export interface SwitchboardOptions {
  readonly node: PresentlyNode;
  readonly slot: Slot;
  readonly affinity: Affinity;
  readonly relay: Relay;
  /** Why the group as a whole is not ready. */
  readonly groupNotReady: () => string | undefined;
}

/** They are asked how a process is, and not what it knows. */
const PROBES = new Set(["/healthz", "/readyz", "/metrics"]);

/**
 * Stands before everything that the node serves. Must be attached before all else is. What comes before the node has caught
 * up waits until it has: behind a shared port nobody can be sent elsewhere, and a list with holes must not be given.
 */
export function attachSwitchboard({ node, slot, affinity, relay, groupNotReady }: SwitchboardOptions): void {
  const server = node.httpServer!;
  const decided = new WeakSet<IncomingMessage>();
  const caughtUp = Promise.race([node.whenReady(), node.whenStopping]);

  /** Serves it here, now or as soon as the node can; answers whether it waits. */
  const waits = (request: IncomingMessage, serve: () => void): boolean => {
    if (node.ready || node.stopping) return false;
    void caughtUp.then(() => {
      decided.add(request);
      serve();
    });
    return true;
  };

  const detach = attach(server, "/", {
    request(path: string, request: IncomingMessage, response: ServerResponse): boolean {
      if (decided.has(request)) return false;
      if (!relay.isRelayed(request)) {
        if (path === "/readyz") return answerNotReady(response, groupNotReady());
        const holder = PROBES.has(path) ? undefined : affinity.slotOf(request);
        if (holder !== undefined && holder !== slot) {
          relay.relay(holder, request, response);
          return true;
        }
      }
      return !PROBES.has(path) && waits(request, () => void server.emit("request", request, response));
    },
    upgrade(_path: string, request: IncomingMessage, stream: Duplex, head: Buffer): boolean {
      if (decided.has(request)) return false;
      const holder = relay.isRelayed(request) ? undefined : affinity.slotOf(request);
      if (holder !== undefined && holder !== slot) {
        relay.relayUpgrade(holder, request, stream, head);
        return true;
      }
      return waits(request, () => {
        if (node.stopping) refuseUpgrade(stream, 503);
        else if (!stream.destroyed) server.emit("upgrade", request, stream, head);
      });
    },
  });
  void node.whenStopped.then(detach);
}

/** A group is ready as a whole; whether this node is, is for the node to say. */
function answerNotReady(response: ServerResponse, reason: string | undefined): boolean {
  if (reason === undefined) return false;
  sendReply(response, { status: 503, body: { error: { code: "NOT_READY", message: reason } } });
  return true;
}
