/** Durations as people say them. */

/** "now", "12 s", "3 min", "2 h", "5 d". A time to come (somebody's clock is ahead) is "now". */
export function duration(elapsedMs) {
  const seconds = Math.floor(elapsedMs / 1000);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** How long something has lasted: "a moment", "12 s". */
export function lasting(elapsedMs) {
  const text = duration(elapsedMs);
  return text === "now" ? "a moment" : text;
}

/** How long ago: "just now", "12 s ago". */
export function ago(elapsedMs) {
  const text = duration(elapsedMs);
  return text === "now" ? "just now" : `${text} ago`;
}
