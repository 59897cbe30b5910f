/** How deep JSON is nested, before it is parsed: what is too deep overflows the stack of whoever walks the value. */
import { checkString } from "@presently/replica";

const [QUOTE, BACKSLASH, OPEN_MAP, OPEN_ARRAY, CLOSE_MAP, CLOSE_ARRAY] = [0x22, 0x5c, 0x7b, 0x5b, 0x7d, 0x5d];

/** Whether JSON text opens more than `most` maps and arrays at a time. Cost: O(text), without an allocation. */
export function deeperThan(text: string, most: number): boolean {
  checkString("text", text);
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (inString) {
      if (unit === BACKSLASH) index++;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) inString = true;
    else if (unit === OPEN_MAP || unit === OPEN_ARRAY) {
      if (++depth > most) return true;
    } else if (unit === CLOSE_MAP || unit === CLOSE_ARRAY) depth--;
  }
  return false;
}
