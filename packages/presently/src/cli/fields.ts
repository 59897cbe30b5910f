/** Reads and writes what stands at a path such as `mesh.tls.certFile` of plain data from outside. */

/** An object of JSON or YAML. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at a path; undefined where there is nothing. */
export function valueAt(fields: Record<string, unknown>, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, field) => (isRecord(value) ? value[field] : undefined), fields);
}

/** Takes away what stands at a path; answers whether anything did. */
export function deleteAt(fields: Record<string, unknown>, path: string): boolean {
  const [inside, field] = parentOf(fields, path);
  if (inside === undefined || !Object.hasOwn(inside, field)) return false;
  delete inside[field];
  return true;
}

/** Puts a value at a path, if there is what it is in; answers that. */
export function setAt(fields: Record<string, unknown>, path: string, value: unknown): boolean {
  const [inside, field] = parentOf(fields, path);
  if (inside === undefined) return false;
  inside[field] = value;
  return true;
}

/** The object that a path ends in, and the name of the field there. */
function parentOf(
  fields: Record<string, unknown>,
  path: string,
): [inside: Record<string, unknown> | undefined, field: string] {
  const dot = path.lastIndexOf(".");
  if (dot < 0) return [fields, path];
  const inside = valueAt(fields, path.slice(0, dot));
  return [isRecord(inside) ? inside : undefined, path.slice(dot + 1)];
}
