/** Which web pages may connect. Only browsers say where a page is from; other clients are not asked. */
import { InvalidArgumentError, stringsIn } from "@presently/replica";

/** `true`: pages of the host that they connect to. `false`: all. A list: `https://shop.example`, `//shop.example`, `//*.shop.example`. */
export type CheckOrigin = boolean | readonly string[];

/** Whether a page of this origin may connect to this host. Ports count where a full origin is listed only, as in Phoenix. */
export type OriginCheck = (origin: string | undefined, host: string | undefined) => boolean;

/** @throws {InvalidArgumentError} for an entry that is neither an origin nor `//host` */
export function originCheck(option: CheckOrigin = true): OriginCheck {
  if (option === false) return () => true;
  const allowed = option === true ? undefined : stringsIn("checkOrigin", option).map(matcherOf);
  return (origin, host) => {
    if (origin === undefined) return true;
    const url = urlOf(origin);
    if (url === undefined) return false;
    if (allowed === undefined)
      return url.hostname !== "" && url.hostname === urlOf(`http://${host}`)?.hostname;
    return allowed.some((matches) => matches(url));
  };
}

function matcherOf(entry: string): (origin: URL) => boolean {
  const [, star, host] = /^\/\/(\*\.)?([^/*:]+)$/.exec(entry) ?? [];
  if (host !== undefined) {
    return star === undefined
      ? ({ hostname }) => hostname === host
      : ({ hostname }) => hostname === host || hostname.endsWith(`.${host}`);
  }
  const url = urlOf(entry);
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError(
      "checkOrigin",
      `has ${JSON.stringify(entry)}: give https://host or //host`,
    );
  return ({ origin }) => origin === url.origin;
}

function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
