/** Glob patterns as Redis has them: `*`, `?`, `[abc]`, `[^a-z]` and `\` before a character that stands for itself. */

/**
 * Whether a text matches a pattern from end to end. Cost: O(text · pattern) at worst, whatever the pattern: no pattern
 * can hold a process up.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const tokens = tokensOf(pattern);
  let token = 0;
  let at = 0;
  // Where to go on after the last star, one character further each time.
  let starToken = -1;
  let starAt = 0;
  while (at < text.length) {
    const wanted = tokens[token];
    if (wanted === "star") {
      starToken = token++;
      starAt = at;
    } else if (wanted?.(text[at]!)) {
      token++;
      at++;
    } else if (starToken >= 0) {
      token = starToken + 1;
      at = ++starAt;
    } else return false;
  }
  while (tokens[token] === "star") token++;
  return token === tokens.length;
}

type Token = "star" | ((character: string) => boolean);

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index]!;
    if (character === "*") {
      if (tokens.at(-1) !== "star") tokens.push("star");
    } else if (character === "?") tokens.push(() => true);
    else if (character === "[") {
      const end = endOfClass(pattern, index);
      tokens.push(classOf(pattern.slice(index + 1, end)));
      index = end;
    } else {
      const literal = character === "\\" && index + 1 < pattern.length ? pattern[++index]! : character;
      tokens.push((found) => found === literal);
    }
  }
  return tokens;
}

/** The index of the bracket that ends a class; the end of the pattern if there is none. */
function endOfClass(pattern: string, start: number): number {
  for (let index = start + 1; index < pattern.length; index++) {
    if (pattern[index] === "\\") index++;
    else if (pattern[index] === "]") return index;
  }
  return pattern.length;
}

function classOf(body: string): (character: string) => boolean {
  const negated = body.startsWith("^");
  const ranges: [string, string][] = [];
  for (let index = negated ? 1 : 0; index < body.length; index++) {
    if (body[index] === "\\" && index + 1 < body.length) index++;
    const first = body[index]!;
    if (body[index + 1] === "-" && index + 2 < body.length) {
      const last = body[index + 2]!;
      ranges.push(first < last ? [first, last] : [last, first]);
      index += 2;
    } else ranges.push([first, first]);
  }
  return (character) => ranges.some(([first, last]) => first <= character && character <= last) !== negated;
}
