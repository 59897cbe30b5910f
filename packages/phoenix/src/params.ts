/** Query strings as Phoenix reads them: `a[b]=1` is a map in a map, `a[]=1&a[]=2` a list. */
import type { Params } from "./connection-info.ts";

/** Levels of brackets, and parameters; what is beyond is left out. */
const DEPTH_MAX = 16;
const PARAMS_MAX = 1_000;

type Node = Record<string, unknown>;

/** Never throws: what cannot be read is left out. The maps have no prototype, so that any name is a name. */
export function parseParams(query: string): Params {
  const params: Node = Object.create(null);
  let count = 0;
  for (const [name, value] of new URLSearchParams(query)) {
    if (++count > PARAMS_MAX) break;
    const path = pathOf(name);
    if (path !== undefined) put(params, path, value);
  }
  return params;
}

/** `a[b][]` is `a`, `b` and the empty name; undefined if the name is empty or too deep. */
function pathOf(name: string): string[] | undefined {
  const [, head, rest] = /^([^[]+)((?:\[[^[\]]*\])*)$/.exec(name) ?? [];
  if (head === undefined || rest === undefined) return name === "" ? undefined : [name];
  const path = [
    head,
    ...rest
      .split("[")
      .slice(1)
      .map((part) => part.slice(0, -1)),
  ];
  return path.length > DEPTH_MAX ? undefined : path;
}

function put(params: Node, path: readonly string[], value: string): void {
  let place: Node | unknown[] = params;
  for (const [index, name] of path.entries()) {
    const isLast = index === path.length - 1;
    const isList = name === "";
    // A name that is used as a list and as a map is what it was first.
    if (isList !== Array.isArray(place)) return;
    if (isLast) {
      if (Array.isArray(place)) place.push(value);
      else place[name] = value;
      return;
    }
    const next: unknown = Array.isArray(place) ? undefined : place[name];
    const inner: Node | unknown[] =
      typeof next === "object" && next !== null
        ? (next as Node | unknown[])
        : path[index + 1] === ""
          ? []
          : Object.create(null);
    if (Array.isArray(place)) place.push(inner);
    else place[name] = inner;
    place = inner;
  }
}
