/** Who is here, in a component. */
import { useCallback, useEffect, useRef } from "react";
import type { Meta, Room, RoomOptions, RoomSnapshot } from "../index.ts";
import { sameJson } from "../person.ts";
import { useClient } from "./client-context.ts";
import { SharedRooms } from "./shared-rooms.ts";
import { useSnapshot } from "./use-room.ts";

export interface UsePresence<M extends Meta> extends RoomSnapshot<M> {
  /** As `room.update`. False when no component uses the room. */
  readonly update: Room<M>["update"];
  /** The room, for messages and events; undefined until the component is mounted. */
  readonly room: Room<M> | undefined;
}

/**
 * Is present in a room for as long as the component is mounted, and gives who else is. Components of one topic share one
 * room: it is left when the last of them is gone. Fields of `meta` that change are said anew.
 */
export function usePresence<M extends Meta = Record<string, unknown>>(
  topic: string,
  options: RoomOptions<M> = {},
): UsePresence<M> {
  const rooms = SharedRooms.of(useClient());
  const snapshot = useSnapshot(topic, options);
  const update = useCallback<Room<M>["update"]>(
    async (change) => (await rooms.get<M>(topic)?.update(change)) ?? false,
    [rooms, topic],
  );
  useChangedMeta(rooms.get<M>(topic), options.meta);
  return { ...snapshot, update, room: rooms.get<M>(topic) };
}

/** Says the fields that are different from those of the last time; the others may have been changed by something else. */
function useChangedMeta<M extends Meta>(room: Room<M> | undefined, meta: M | undefined): void {
  const said = useRef(meta);
  useEffect(() => {
    if (meta === undefined || room === undefined || sameJson(meta, said.current)) return;
    const before: Partial<M> = said.current ?? {};
    said.current = meta;
    const changed = Object.entries(meta).filter(([name, value]) => !sameJson(value, before[name as keyof M]));
    const gone = new Set(Object.keys(before).filter((name) => !Object.hasOwn(meta, name)));
    const rest = (previous: M) => Object.entries(previous).filter(([name]) => !gone.has(name));
    // What the room could not do, it tells its own listeners.
    room.update((previous) => Object.fromEntries([...rest(previous), ...changed]) as M).catch(() => {});
  });
}
