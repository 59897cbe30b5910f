/** What a channel is, by its name. */

const NAME = /^[A-Za-z0-9_\-=@,.;]{1,164}$/;
const CACHE = /^((private-encrypted|private|presence)-)?cache-/;
const USER_PREFIX = "#server-to-user-";
/** Characters of a user id. */
const USER_ID_MAX = 128;

/** Returns true for a name that clients may subscribe to and servers may publish to. */
export function isChannelName(name: unknown): name is string {
  return typeof name === "string" && (NAME.test(name) || userOfChannel(name) !== undefined);
}

export function isPresence(channel: string): boolean {
  return channel.startsWith("presence-");
}

/** Whether a subscription needs a signature. */
export function isGuarded(channel: string): boolean {
  return channel.startsWith("private-") || isPresence(channel);
}

/** Whether the last event is kept for those who come later. */
export function isCache(channel: string): boolean {
  return CACHE.test(channel);
}

/** The user whose messages arrive on a channel; undefined for every other channel. */
export function userOfChannel(channel: string): string | undefined {
  if (!channel.startsWith(USER_PREFIX)) return undefined;
  const id = channel.slice(USER_PREFIX.length);
  return isUserId(id) ? id : undefined;
}

/** A text of 1 to 128 characters. */
export function isUserId(id: unknown): id is string {
  return typeof id === "string" && id !== "" && [...id.slice(0, 2 * USER_ID_MAX + 1)].length <= USER_ID_MAX;
}
