/** Since when somebody is present, as the guides of Phoenix say it: seconds since 1970, as a text. */
export function nowInSeconds(): string {
  return String(Math.floor(Date.now() / 1_000));
}
