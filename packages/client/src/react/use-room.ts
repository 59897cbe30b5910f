/** One room for as long as a component is mounted. */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { checkTopic, isMap, require } from "../arguments.ts";
import type { AnyRoom, Meta, RoomOptions, RoomSnapshot } from "../index.ts";
import { useClient } from "./client-context.ts";
import { NOT_JOINED, SharedRooms } from "./shared-rooms.ts";

/** The room as it is now; on a server, and before it is mounted, one that nobody has joined yet. */
export function useSnapshot<M extends Meta>(topic: string, options: RoomOptions<M>): RoomSnapshot<M> {
  checkTopic(topic);
  require(isMap(options), "options", "an object");
  const rooms = SharedRooms.of(useClient());
  const latest = useRef(options);
  // Before the subscription, which is an effect as well, and of the same component.
  useEffect(() => {
    latest.current = options;
  });
  const subscribe = useCallback(
    (changed: () => void) => {
      const { room, release } = rooms.use(topic, latest.current);
      const off = room.on("change", changed);
      return () => {
        off();
        release();
      };
    },
    [rooms, topic],
  );
  const snapshot = () => rooms.get<M>(topic)?.snapshot ?? (NOT_JOINED as unknown as RoomSnapshot<M>);
  return useSyncExternalStore(subscribe, snapshot, () => NOT_JOINED as unknown as RoomSnapshot<M>);
}

/** Something that is made for a room, from when the component is mounted until it is not. Undefined before. */
export function useInRoom<T extends { close(): void }>(
  topic: string,
  make: (room: AnyRoom) => T,
  key: string,
): T | undefined {
  checkTopic(topic);
  const rooms = SharedRooms.of(useClient());
  const [made, setMade] = useState<T>();
  const latest = useRef(make);
  useEffect(() => {
    latest.current = make;
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says when it has to be made anew.
  useEffect(() => {
    const { room, release } = rooms.use(topic, {});
    const own = latest.current(room);
    setMade(own);
    return () => {
      setMade(undefined);
      own.close();
      release();
    };
  }, [rooms, topic, key]);
  return made;
}
