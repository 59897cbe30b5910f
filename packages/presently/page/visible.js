/**
 * Names are other people's words. Characters that cannot be seen, or that change the direction in which their neighbours
 * are read, are shown as their numbers: nobody can look like somebody else.
 */

// Controls, formats (zero-width spaces, directional marks and overrides), separators, halves of characters; the joiner of
// emoji stays.
const UNSEEN = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** @param {string} text */
export function visible(text) {
  return text.replace(UNSEEN, (character) => `⟨${character.codePointAt(0).toString(16).padStart(4, "0")}⟩`);
}
