/** Names of channels, as the Bayeux protocol and Faye have them. */

const NAME = /^(\/[A-Za-z0-9\-_!~()$@]+)+$/;

/** Whether messages can be published there: patterns such as `/presence/*` are no channels. */
export function isPublishable(channel: string): boolean {
  return NAME.test(channel) && !isMeta(channel);
}

/** The channel, and all patterns that a subscriber of it may have named: `/a/b` is one of `/a/*`, `/a/**` and `/**`. */
export function expand(channel: string): string[] {
  const names = channel.split("/").slice(1);
  const parents = names.map((_, depth) => ["", ...names.slice(0, depth), "**"].join("/"));
  return [channel, ["", ...names.slice(0, -1), "*"].join("/"), ...parents];
}

export function isMeta(channel: string): boolean {
  return channel === "/meta" || channel.startsWith("/meta/");
}

/** Channels on which a client talks with one server: what is said there goes to nobody else. */
export function isService(channel: string): boolean {
  return channel === "/service" || channel.startsWith("/service/");
}

/** The channels of a subscribe message; undefined if it names something that is no text. */
export function channelsOf(subscription: unknown): string[] | undefined {
  if (subscription === undefined || subscription === null) return [];
  const channels: unknown[] = Array.isArray(subscription) ? subscription : [subscription];
  return channels.every((channel): channel is string => typeof channel === "string") ? channels : undefined;
}
