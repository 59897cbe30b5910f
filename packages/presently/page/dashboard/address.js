/** What is looked at, kept in the page's address: loading it again, or sending it to a colleague, shows the same. */

/** @returns {{ prefix: string, sort: "keys" | "name", topic: string | undefined }} */
export function readAddress() {
  const query = new URLSearchParams(location.hash.slice(1));
  return {
    prefix: query.get("prefix") ?? "",
    sort: query.get("sort") === "name" ? "name" : "keys",
    topic: query.get("topic") || undefined,
  };
}

/** Replaces what is there; `undefined` and the empty text are left out. */
export function writeAddress(parts) {
  const query = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(parts)) {
    if (value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  const hash = query.size === 0 ? "" : `#${query}`;
  history.replaceState(null, "", location.pathname + hash);
}
