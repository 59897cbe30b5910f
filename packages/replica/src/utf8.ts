/** Texts as bytes in UTF-8, and copies of texts that keep nothing else in memory. */

/** Every platform that runs JavaScript has these two; the language's own types do not name them. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const TextDecoder: new (
  encoding: "utf-8",
  options: { readonly fatal: boolean; readonly ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };

const encoder = new TextEncoder();
/** A byte order mark is a character like any other. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A part of a text that is shorter than this is copied (`SlicedString::kMinLength` of V8); a longer one keeps the whole. */
export const SLICED_LENGTH_MIN = 13;

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** @throws TypeError for bytes that are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The same text, which keeps nothing but itself in memory: for one that stays when what it came with has gone. */
export function unshared(text: string): string {
  return text.length < SLICED_LENGTH_MIN ? text : decoder.decode(encoder.encode(text));
}
