/** What the rooms of a namespace are called among those of all: their own names in `/`, else with the namespace in front. */
import { InvalidArgumentError } from "presently";
import { checkString, isReservedRoom, type RosterNames } from "presently/drop-in";

/**
 * @throws {InvalidArgumentError} for what is no room, or a list of our own
 * @throws {RosterNameError} for a room that stands for nothing in the cluster
 */
export function nameOf(room: string, namespace: string, names: RosterNames): string {
  checkString("room", room);
  const name = namespace === "/" ? room : `${namespace}:${room}`;
  if (isReservedRoom(name, names, "socket.io"))
    throw new InvalidArgumentError("room", `${JSON.stringify(room)} is a list of this engine, and no room`);
  return name;
}

/** Undefined for a name of another namespace. */
export function roomOf(name: string, namespace: string): string | undefined {
  if (namespace === "/") return name;
  const prefix = `${namespace}:`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}
