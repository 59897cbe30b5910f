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

/** Whether a room has these values, its own or in its metadata. */
export function meets(room: ListedRoom, conditions: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(conditions).every(([field, value]) => {
    const own = Object.hasOwn(room, field) ? room[field] : undefined;
    return (own === undefined ? room.metadata?.[field] : own) === value;
  });
}

/** The order of a query; rooms that are equal by it in the order of their creation, at every process the same. */
export function inOrder(rooms: ListedRoom[], order: ListingOrder = {}): ListedRoom[] {
  const fields = Object.entries(order).map(
    ([field, direction]) =>
      [field, direction === 1 || direction === "asc" || direction === "ascending" ? 1 : -1] as const,
  );
  return rooms.sort((one, other) => {
    for (const [field, sign] of fields) {
      if (one[field] > other[field]) return sign;
      if (one[field] < other[field]) return -sign;
    }
    return one.createdAt.getTime() - other.createdAt.getTime() || (one.roomId < other.roomId ? -1 : 1);
  });
}
