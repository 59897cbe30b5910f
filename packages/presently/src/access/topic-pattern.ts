/** Which topics somebody was granted: a text in which `*` stands for any characters, and `{id}` for who they are. */

/** A pattern, taken apart once. */
export interface TopicPattern {
  matches(topic: string, id: string): boolean;
}

/**
 * Takes a pattern apart. `*` stands for any characters, none included, of every kind: `room:*` has `room:` and `room:a:b`.
 * `{id}` stands for the identity's id as it is, so that an id that holds a `*` reaches nobody else's topics.
 *
 * Cost of a match: O(topic) for each `*`.
 */
export function topicPattern(pattern: string): TopicPattern {
  const parts = pattern.split("*");
  const namesId = pattern.includes("{id}");
  return {
    matches: (topic, id) =>
      matchesParts(topic, namesId ? parts.map((part) => part.replaceAll("{id}", () => id)) : parts),
  };
}

/** Each part at the first place where it fits leaves the most room for those that follow. */
function matchesParts(text: string, parts: readonly string[]): boolean {
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false;
  const end = text.length - last.length;
  let from = first.length;
  for (const part of rest) {
    const at = text.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}
