/** How much a JSON value takes, counted as the node counts it, so that what is accepted here fits there. */

/** Levels of maps and arrays; the node takes 32, and keeps the value one level down. */
const DEPTH_MAX = 30;

/**
 * Whether the node takes the value as a part of a meta.
 *
 * Cost: O(its size); stops at the limit.
 */
export function fits(value: unknown, bytesMax: number): boolean {
  return sizeOf(value, bytesMax, 0) <= bytesMax;
}

function sizeOf(value: unknown, most: number, depth: number): number {
  if (typeof value === "string") return Buffer.byteLength(value) + 2;
  if (typeof value === "number") return Number.isFinite(value) ? 8 : Number.POSITIVE_INFINITY;
  if (typeof value === "boolean" || value === null) return 4;
  if (value === undefined) return 0;
  if (typeof value !== "object" || depth === DEPTH_MAX) return Number.POSITIVE_INFINITY;
  let size = 2;
  for (const name of Object.keys(value)) {
    // The one name that cannot be copied from map to map without changing what the map is.
    if (name === "__proto__") return Number.POSITIVE_INFINITY;
    if (!Array.isArray(value)) size += Buffer.byteLength(name) + 3;
    size += sizeOf((value as Record<string, unknown>)[name], most - size, depth + 1) + 1;
    if (size > most) return size;
  }
  return size;
}
