/** Numbers as people read them. */

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];

/** "1 person", "5,000 people". */
export function plural(count, one, many = `${one}s`) {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

/** "5,000". */
export function whole(count) {
  return count.toLocaleString("en");
}

/** "0", "0.4", "12", "3.4k": short, for what changes all the time. */
export function short(value) {
  const digits = value < 10 ? 1 : 0;
  return value >= 10_000
    ? value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 })
    : value.toLocaleString("en", { maximumFractionDigits: digits });
}

/** "512 B", "1.4 kB": thousands, as network tools count. */
export function bytes(count) {
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value.toFixed(unit === 0 || value >= 99.5 ? 0 : 1)} ${BYTE_UNITS[unit]}`;
}

/** "0.42 ms", "12 ms", "1.3 s". */
export function milliseconds(ms) {
  if (ms < 9.995) return `${ms.toFixed(2)} ms`;
  return ms < 999.5 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
