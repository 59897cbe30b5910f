/**
 * Metas in columns: the field names of each shape once, then the values of every meta, row by row. What is inside a
 * value is plain msgpack.
 *
 * The library's own way to share field names (records) keeps what it has seen from one message to the next, and can be
 * broken for good by the names themselves; names come from users, so they must never steer an encoder.
 */
import { ProtocolError } from "./errors.ts";
import type { Meta } from "./presence.ts";
import { array, checkJson, count, fields } from "./wire.ts";

/** `[field names of each shape, shape of each meta | 0 if there is only one, values]`. Cost: O(metas and their fields). */
export function encodeMetas(metas: readonly Meta[]): unknown[] {
  const shapes: (readonly string[])[] = [];
  const indexes = new Map<string, number>();
  const shapeOf: number[] = [];
  const values: unknown[] = [];
  let [names, index]: [readonly string[] | undefined, number] = [undefined, 0];
  for (const meta of metas) {
    const own = Object.keys(meta);
    if (names === undefined || !areEqual(names, own)) {
      names = own;
      const shape = JSON.stringify(own);
      index = indexes.get(shape) ?? shapes.length;
      if (index === shapes.length) {
        indexes.set(shape, index);
        shapes.push(own);
      }
    }
    shapeOf.push(index);
    for (const name of own) values.push(meta[name]);
  }
  return [shapes, shapes.length > 1 ? shapeOf : 0, values];
}

/**
 * So many metas, each a JSON map of bounded depth.
 *
 * @throws {ProtocolError} `BAD_FRAME`
 */
export function decodeMetas(value: unknown, length: number): Meta[] {
  const at = fields(value, "metas");
  const shapes = array(at[0]).map(namesOf);
  const shapeOf = at[1] === 0 ? undefined : array(at[1]);
  const values = array(at[2]);
  if (shapeOf !== undefined && shapeOf.length !== length) throw badMeta("must be as many as the entries");
  const metas: Meta[] = [];
  let next = 0;
  for (let index = 0; index < length; index++) {
    const names = shapes[shapeOf === undefined ? 0 : count(shapeOf[index])];
    if (names === undefined || next + names.length > values.length)
      throw badMeta("must have a shape and values");
    const meta: Record<string, unknown> = {};
    for (const name of names) {
      const value = values[next++];
      checkJson(value, 1);
      meta[name] = value;
    }
    metas.push(meta);
  }
  if (next !== values.length) throw badMeta("must not have values left over");
  return metas;
}

function areEqual(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

function namesOf(value: unknown): readonly string[] {
  return array(value).map((name) => {
    // Assigning it would set the prototype.
    if (typeof name !== "string" || name === "__proto__") throw badMeta("must have texts as field names");
    return name;
  });
}

function badMeta(problem: string): ProtocolError {
  return new ProtocolError("BAD_FRAME", `metas ${problem}`);
}
