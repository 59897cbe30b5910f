/** Active or away, in a component. */
import { useCallback, useSyncExternalStore } from "react";
import { isMap, require } from "../arguments.ts";
import {
  type ClientStatus,
  type Status,
  type StatusTracker,
  type TrackStatusOptions,
  trackStatus,
} from "../index.ts";
import { useClient } from "./client-context.ts";
import { useInRoom } from "./use-room.ts";

/**
 * Keeps the field `status` of one's meta in a room while the component is mounted, as `trackStatus`, and gives it. Options
 * other than times count from the first mount on.
 */
export function useStatus(topic: string, options: TrackStatusOptions = {}): Status {
  require(isMap(options), "options", "an object");
  const { idleMs, hiddenMs } = options;
  const tracked = useInRoom(
    topic,
    (room) => closable(trackStatus(room, options)),
    `${idleMs ?? ""} ${hiddenMs ?? ""}`,
  );
  const subscribe = useCallback(
    (changed: () => void) => tracked?.tracker.onChange(changed) ?? (() => {}),
    [tracked],
  );
  return useSyncExternalStore(
    subscribe,
    () => tracked?.tracker.status ?? "active",
    () => "active",
  );
}

function closable(tracker: StatusTracker): { readonly tracker: StatusTracker; close(): void } {
  return { tracker, close: () => tracker.stop() };
}

/** Whether the client is connected. */
export function useConnection(): ClientStatus {
  const client = useClient();
  const subscribe = useCallback((changed: () => void) => client.on("status", changed), [client]);
  return useSyncExternalStore(
    subscribe,
    () => client.status,
    () => "idle",
  );
}
