/**
 * Metas in columns: the field names of each shape once, then the values of each of its fields (`value-column.ts`). What
 * is inside a value is plain msgpack.
 *
 * The library's own way to share field names (records) keeps what it has seen from one message to the next, and can be
 * broken for good by the names themselves; names come from users, so they must never steer an encoder.
 */
import type { Allowance } from "./allowance.ts";
import { ProtocolError } from "./errors.ts";
import type { Meta } from "./presence.ts";
import { decodeColumn, encodeColumn } from "./value-column.ts";
import { array, checkWellFormed, count, fields } from "./wire.ts";

/** Metas with the same fields in the same order. */
class Shape {
  readonly names: readonly string[];
  readonly columns: unknown[][];
  private rows = 0;

  /** @param rowsMax how many may still come: room is made at once for the first shape, which most often is the only one */
  constructor(names: readonly string[], rowsMax: number) {
    this.names = names;
    this.columns = names.map(() => new Array<unknown>(rowsMax));
  }

  /** Takes the values of a meta in, if it is of this shape. */
  take(meta: Meta): boolean {
    const { names, columns, rows } = this;
    let index = 0;
    for (const name in meta) {
      if (name !== names[index]) return false;
      // Of a meta that turns out to be of another shape this is overwritten, or cut off in the end.
      columns[index++]![rows] = meta[name];
    }
    if (index !== names.length) return false;
    this.rows++;
    return true;
  }

  encoded(): unknown[] {
    return this.columns.map((column) => {
      column.length = this.rows;
      return encodeColumn(column);
    });
  }
}

/** `[field names of each shape, shape of each meta | 0 if there is only one, columns of all shapes]`. Cost: O(metas and their fields). */
export function encodeMetas(metas: readonly Meta[]): unknown[] {
  // Most deltas are of one change, and it is waited for.
  if (metas.length === 1) return [[Object.keys(metas[0]!)], 0, Object.values(metas[0]!)];
  const shapes: Shape[] = [];
  const indexes = new Map<string, number>();
  const shapeOf = new Array<number>(metas.length);
  let [shape, index]: [Shape | undefined, number] = [undefined, 0];
  for (let at = 0; at < metas.length; at++) {
    const meta = metas[at]!;
    if (!shape?.take(meta)) {
      const names = Object.keys(meta);
      const text = JSON.stringify(names);
      index = indexes.get(text) ?? shapes.length;
      if (index === shapes.length) {
        indexes.set(text, index);
        shapes.push(new Shape(names, index === 0 ? metas.length : 0));
      }
      shape = shapes[index]!;
      shape.take(meta);
    }
    shapeOf[at] = index;
  }
  const columns = shapes.flatMap((each) => each.encoded());
  return [shapes.map(({ names }) => names), shapes.length > 1 ? shapeOf : 0, columns];
}

/**
 * So many metas, each a JSON map of bounded depth.
 *
 * @param allowance what the message may still claim without listing it
 * @throws {ProtocolError} `BAD_FRAME`
 */
export function decodeMetas(value: unknown, length: number, allowance: Allowance): Meta[] {
  const at = fields(value, "metas");
  const shapes = array(at[0]).map(namesOf);
  const columns = array(at[2]);
  if (columns.length !== shapes.reduce((sum, names) => sum + names.length, 0))
    throw badMeta("must have a column for each field");
  if (at[1] === 0 && shapes.length === 1) return rowsOf(shapes[0]!, columns, 0, length, allowance);
  return ofManyShapes(shapes, columns, length === 0 ? [] : array(at[1]), length, allowance);
}

function ofManyShapes(
  shapes: readonly (readonly string[])[],
  columns: readonly unknown[],
  shapeOf: readonly unknown[],
  length: number,
  allowance: Allowance,
): Meta[] {
  if (shapeOf.length !== length) throw badMeta("must be as many as the entries");
  const counts = new Array<number>(shapes.length).fill(0);
  for (const shape of shapeOf) {
    if (count(shape) >= shapes.length) throw badMeta("must have a shape");
    counts[shape as number]!++;
  }
  let column = 0;
  const rows = shapes.map((names, shape) => {
    const own = rowsOf(names, columns, column, counts[shape]!, allowance);
    column += names.length;
    return own;
  });
  counts.fill(0);
  return shapeOf.map((shape) => rows[shape as number]![counts[shape as number]!++]!);
}

/** The metas of one shape, whose columns begin at `first`. */
function rowsOf(
  names: readonly string[],
  columns: readonly unknown[],
  first: number,
  length: number,
  allowance: Allowance,
): Meta[] {
  const values = names.map((_, index) => decodeColumn(columns[first + index], length, allowance));
  const metas = new Array<Meta>(length);
  for (let row = 0; row < length; row++) {
    const meta: Record<string, unknown> = {};
    for (let index = 0; index < names.length; index++) meta[names[index]!] = values[index]![row];
    metas[row] = meta;
  }
  return metas;
}

function namesOf(value: unknown): readonly string[] {
  return array(value).map((name) => {
    // Assigning it would set the prototype.
    if (typeof name !== "string" || name === "__proto__") throw badMeta("must have texts as field names");
    checkWellFormed(name);
    return name;
  });
}

function badMeta(problem: string): ProtocolError {
  return new ProtocolError("BAD_FRAME", `metas ${problem}`);
}
