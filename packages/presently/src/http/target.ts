/** The target of a request: its path, and its query as strictly read as the path. */
import { InvalidArgumentError } from "@presently/replica";
import { HttpRequestError } from "../errors.ts";

/** A request target in its two parts; the path is still percent-encoded. */
export interface Target {
  readonly path: string;
  readonly query: string;
}

/**
 * Splits `request.url`. The path is checked: a router that met a broken percent-encoding could only call it unknown.
 *
 * @throws {HttpRequestError} `BAD_URL` when the path cannot be decoded, or holds bytes that must be encoded
 */
export function parseTarget(url: string): Target {
  // A proxy may send the absolute form, which a server must take.
  const target = url.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  if (!path.startsWith("/") || !isDecodable(path)) {
    throw new HttpRequestError(400, "BAD_URL", "the path is not percent-encoded UTF-8: encode topic and key");
  }
  return { path, query: mark < 0 ? "" : target.slice(mark + 1) };
}

/**
 * The parameters of a query, each at most once. `+` means a blank, as in forms. An empty value counts as none given.
 *
 * @param known  the parameters that the resource has; a misspelt one is refused, not passed over
 * @throws {InvalidArgumentError} for a parameter that is unknown, given twice, or not percent-encoded UTF-8
 */
export function parseQuery<Name extends string>(
  query: string,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  const values: Partial<Record<Name, string>> = {};
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodeQueryPart(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : decodeQueryPart(pair.slice(equals + 1));
    if (!isOneOf(known, name)) {
      const options = known.length === 0 ? "none" : known.join(", ");
      throw new InvalidArgumentError(
        `the query parameter ${JSON.stringify(name)}`,
        `is unknown; there is ${options}`,
      );
    }
    if (Object.hasOwn(values, name)) {
      throw new InvalidArgumentError(`the query parameter ${JSON.stringify(name)}`, "is given twice");
    }
    if (value !== "") values[name] = value;
  }
  return values;
}

function isOneOf<Name extends string>(known: readonly Name[], name: string): name is Name {
  return (known as readonly string[]).includes(name);
}

function decodeQueryPart(part: string): string {
  const spaced = part.replaceAll("+", " ");
  if (!isDecodable(spaced)) throw new InvalidArgumentError("the query", "is not percent-encoded UTF-8");
  return decodeURIComponent(spaced);
}

/** Node.js hands over raw bytes above 127 as Latin-1: what they stand for is anyone's guess, so they are refused. */
function isDecodable(part: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters are what must not be there.
  if (/[^\u0000-\u007f]/.test(part)) return false;
  try {
    decodeURIComponent(part);
    return true;
  } catch (cause) {
    if (cause instanceof URIError) return false;
    throw cause;
  }
}
