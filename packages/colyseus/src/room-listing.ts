/** One room as the match-maker lists it. */

/** Fields that every listing has; rooms add their own, by which they are filtered. */
export interface ListedRoom {
  roomId: string;
  clients: number;
  maxClients: number;
  locked: boolean;
  private: boolean;
  name: string;
  publicAddress?: string;
  processId: string;
  unlisted: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: the type that Colyseus declares for it
  metadata: any;
  createdAt: Date;
  // biome-ignore lint/suspicious/noExplicitAny: the type that Colyseus declares for further fields
  [property: string]: any;
}

/** Changes of a listing. */
export interface ListingOperations {
  readonly $set?: Readonly<Record<string, unknown>>;
  readonly $inc?: Readonly<Record<string, number>>;
}

/** Sort order by field. */
export type ListingOrder = Readonly<Record<string, 1 | -1 | string>>;

/** A listing with every field that the match-maker counts on. */
export function listingOf(values: Readonly<Record<string, unknown>> = {}): ListedRoom {
  const { createdAt, maxClients } = values;
  return {
    clients: 0,
    locked: false,
    private: false,
    unlisted: false,
    metadata: undefined,
    ...values,
    maxClients: typeof maxClients === "number" ? maxClients : Number.POSITIVE_INFINITY,
    createdAt: createdAt === undefined ? new Date() : new Date(createdAt as string | Date),
  } as ListedRoom;
}

export function applyOperations(room: ListedRoom, { $set = {}, $inc = {} }: ListingOperations): void {
  for (const [field, value] of Object.entries($set)) room[field] = value;
  for (const [field, by] of Object.entries($inc)) room[field] = (room[field] ?? 0) + by;
}

/**
 * A filter of rooms as Colyseus' LocalDriver has it: a field counts if the room has it, else if its metadata have it; and
 * values are compared by `===`.
 */
export function conditionsOf(conditions: Readonly<Record<string, unknown>>): (room: ListedRoom) => boolean {
  const wanted = Object.entries(conditions);
  return (room) => {
    for (const [field, value] of wanted) {
      const holder = holderOf(room, field);
      if (holder === undefined || holder[field] !== value) return false;
    }
    return true;
  };
}

/** The order of a query, of a field of the room or else of its metadata, as the LocalDriver has it. Sorts in place. */
export function sortRooms(rooms: ListedRoom[], order: ListingOrder = {}): ListedRoom[] {
  const fields = Object.entries(order).map(
    ([field, direction]) =>
      [field, direction === 1 || direction === "asc" || direction === "ascending" ? 1 : -1] as const,
  );
  if (fields.length === 0) return rooms;
  return rooms.sort((one, other) => {
    for (const [field, sign] of fields) {
      const holder = holderOf(one, field);
      if (holder === undefined) continue;
      const mine = holder[field];
      const its = (holder === one ? other : other.metadata)?.[field];
      if (mine > its) return sign;
      if (mine < its) return -sign;
    }
    return 0;
  });
}

/** The order of creation, at every process the same. */
export function isListedBefore(one: ListedRoom, other: ListedRoom): boolean {
  const byTime = one.createdAt.getTime() - other.createdAt.getTime();
  return byTime === 0 ? one.roomId < other.roomId : byTime < 0;
}

/** A copy, down to the last of its values: who is given it may change it. */
export function copyOf(room: ListedRoom): ListedRoom {
  return copied(room) as ListedRoom;
}

/** Of plain data and dates, as they come of JSON. */
function copied(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return new Date(value);
  if (Array.isArray(value)) return value.map(copied);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = copied((value as Record<string, unknown>)[key]);
  return copy;
}

// biome-ignore lint/suspicious/noExplicitAny: the type that Colyseus declares for metadata
function holderOf(room: ListedRoom, field: string): any {
  if (Object.hasOwn(room, field)) return room;
  const { metadata } = room;
  return typeof metadata === "object" && metadata !== null && Object.hasOwn(metadata, field)
    ? metadata
    : undefined;
}
