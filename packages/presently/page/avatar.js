/** Initials on a colour that depends on the name alone: the same person looks the same on every node. */
import { element } from "./dom.js";

const HUES = 18;

/** A hue in degrees; the same for the same name, everywhere. */
export function hueOf(name) {
  // FNV-1a, 32 bit, over UTF-16 code units.
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  // The low bits of FNV barely depend on the last letters; fold the high ones in.
  hash ^= hash >>> 15;
  return ((hash >>> 0) % HUES) * (360 / HUES);
}

/** One or two characters as people see characters: an emoji or a letter with accents is one. */
export function initialsOf(name) {
  // What a word is worth starts at its first letter, digit or picture; a name of none of these stands for itself.
  const words = name.match(/[\p{L}\p{N}\p{Extended_Pictographic}\p{RI}][^\s._-]*/gu) ?? [name];
  const first = firstCharacter(words[0]);
  if (words.length < 2 || /\p{Extended_Pictographic}/u.test(first)) return first.toLocaleUpperCase();
  return (first + firstCharacter(words.at(-1))).toLocaleUpperCase();
}

/** A round avatar. Says nothing to a screen reader: the name stands beside it. */
export function avatar(name, className = "avatar") {
  const node = element("span", { class: className, "aria-hidden": "true" }, initialsOf(name));
  node.style.setProperty("--hue", String(hueOf(name)));
  return node;
}

function firstCharacter(word) {
  if (typeof Intl.Segmenter !== "function") return String.fromCodePoint(word.codePointAt(0));
  const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(word);
  return segments[Symbol.iterator]().next().value.segment;
}
