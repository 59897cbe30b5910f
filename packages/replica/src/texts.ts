/**
 * Many texts as few: one after the other, and their lengths. They are written and read in one go, where texts of their
 * own would be as many calls of the encoder.
 *
 * What is cut out of a long text keeps all of it in memory (V8 copies only what is short), and the serializer's native
 * reader cuts most texts out of kilobytes of their frame: somebody who stays for days would keep the keys of the thousand
 * who came along. So longer texts are put together in small chunks of bytes, which are decoded here.
 */
import { ProtocolError } from "./errors.ts";
import { decodeUtf8, encodeUtf8, SLICED_LENGTH_MIN } from "./utf8.ts";
import { array, count } from "./wire.ts";

/** Fewer are not worth it. */
const TEXTS_MIN = 4;
/** Code units of a text that is put together with others, at most: to say its length twice costs little then. */
const TEXT_LENGTH_MAX = 64;
/** Code units that a text of some length keeps in memory, itself included. */
const CHUNK_LENGTH_MAX = 256;

/** `[chunks in UTF-8, code units of each text | of all, if they are alike]`; undefined if the texts had better stand by themselves. */
export function encodeTexts(
  texts: readonly string[],
): [Uint8Array[], readonly number[] | number] | undefined {
  const { length } = texts;
  if (length < TEXTS_MIN) return undefined;
  const lengths = new Array<number>(length);
  let [alike, longest] = [true, 0];
  for (let index = 0; index < length; index++) {
    const text = texts[index]!;
    // Two halves of a character from two neighbours would become one that belongs to neither.
    if (text.length > TEXT_LENGTH_MAX || !text.isWellFormed()) return undefined;
    lengths[index] = text.length;
    alike &&= lengths[index] === lengths[0];
    longest = Math.max(longest, text.length);
  }
  if (longest === 0) return undefined;
  // Whatever is copied keeps nothing.
  const chunks = longest < SLICED_LENGTH_MIN ? [texts.join("")] : chunksOf(texts);
  return [chunks.map(encodeUtf8), alike ? lengths[0]! : lengths];
}

function chunksOf(texts: readonly string[]): string[] {
  const chunks: string[] = [];
  let chunk = "";
  for (const text of texts) {
    if (chunk.length + text.length > CHUNK_LENGTH_MAX) {
      chunks.push(chunk);
      chunk = "";
    }
    chunk += text;
  }
  if (chunk !== "") chunks.push(chunk);
  return chunks;
}

/**
 * The texts of `encodeTexts`, which must be so many. They may be empty.
 *
 * @throws {ProtocolError} `BAD_FRAME`
 */
export function decodeTexts(chunks: readonly unknown[], lengths: unknown, length: number): string[] {
  const each = typeof lengths === "number" ? undefined : array(lengths);
  // Or no bytes would stand for any number of texts.
  if (lengths === 0) throw badTexts("must not all be empty");
  if (each !== undefined && each.length !== length) throw badTexts("must be as many as the entries");
  const texts = new Array<string>(length);
  let next = 0;
  let [chunk, from] = ["", 0];
  for (let index = 0; index < length; index++) {
    const size = count(each === undefined ? lengths : each[index]);
    if (from === chunk.length && size > 0) {
      chunk = textOf(chunks[next++]);
      from = 0;
    }
    if (from + size > chunk.length) throw badTexts("must not end before their lengths do");
    const text = chunk.substring(from, from + size);
    if (!text.isWellFormed()) throw badTexts("must not be cut inside of a character");
    texts[index] = text;
    from += size;
  }
  if (next !== chunks.length || from !== chunk.length) throw badTexts("must not have characters left over");
  return texts;
}

function textOf(chunk: unknown): string {
  if (!(chunk instanceof Uint8Array)) throw badTexts("must come in chunks of bytes");
  try {
    return decodeUtf8(chunk);
  } catch (error) {
    throw new ProtocolError("BAD_FRAME", "texts must be in UTF-8", { cause: error });
  }
}

function badTexts(problem: string): ProtocolError {
  return new ProtocolError("BAD_FRAME", `texts ${problem}`);
}
