/** What a source imports and which globals it may mean, by the parser `oxc-parser`; and the cycles that imports make. */
import { posix } from "node:path";
import { parseSync } from "oxc-parser";

/** An import, a re-export, or the module that a type is taken from. */
export interface Import {
  /** Undefined when it is computed at run time. */
  readonly specifier: string | undefined;
  /** Nothing of it is left at run time. */
  readonly isType: boolean;
  readonly offset: number;
}

/** A name that may stand for a global: neither a member nor a key. */
export interface Name {
  readonly text: string;
  /** The member that is read of it, if the text says which. */
  readonly member: string | undefined;
  readonly offset: number;
}

export interface ParsedSource {
  readonly imports: readonly Import[];
  readonly names: readonly Name[];
}

// biome-ignore lint/suspicious/noExplicitAny: nodes of all types are walked alike.
type Node = any;

const parsed = new Map<string, ParsedSource>();

/**
 * Parses a source, once.
 *
 * @throws {SyntaxError} when the text is not TypeScript
 */
export function parseSource(path: string, text: string): ParsedSource {
  const key = `${path}\n${text}`;
  const known = parsed.get(key) ?? parse(path, text);
  parsed.set(key, known);
  return known;
}

function parse(path: string, text: string): ParsedSource {
  const { program, errors } = parseSync(path, text, { sourceType: "module" });
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]!.message}`);
  const imports: Import[] = [];
  const names: Name[] = [];
  const visit = (node: Node, parent: Node, key: string): void => {
    const imported = importOf(node);
    if (imported !== undefined) imports.push({ ...imported, offset: node.start });
    if (node.type === "Identifier" && !isMemberOrKey(parent, key))
      names.push({ text: node.name, member: memberOf(node, parent), offset: node.start });
    for (const [name, child] of Object.entries<Node>(node))
      for (const one of Array.isArray(child) ? child : [child])
        if (typeof one?.type === "string") visit(one, node, name);
  };
  visit(program, undefined, "");
  return { imports, names };
}

function importOf(node: Node): Omit<Import, "offset"> | undefined {
  const { type, source, importKind, exportKind, specifiers = [] } = node;
  switch (type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration": {
      if (!source) return undefined;
      const kinds: unknown[] = specifiers.map((one: Node) => one.importKind ?? one.exportKind);
      const isType =
        importKind === "type" ||
        exportKind === "type" ||
        (kinds.length > 0 && kinds.every((kind) => kind === "type"));
      return { specifier: source.value, isType };
    }
    case "ImportExpression":
      return { specifier: textOf(source), isType: false };
    case "TSImportType":
      return { specifier: textOf(source), isType: true };
    case "TSExternalModuleReference":
      return { specifier: textOf(node.expression), isType: false };
    default:
      return undefined;
  }
}

function textOf({ type, value, quasis }: Node): string | undefined {
  if (type === "TemplateLiteral" && quasis.length === 1) return quasis[0].value.cooked;
  return typeof value === "string" ? value : undefined;
}

function isMemberOrKey(parent: Node, key: string): boolean {
  if (key === "property" || key === "key") return !parent.computed;
  return key === "right" && parent.type === "TSQualifiedName";
}

function memberOf(node: Node, parent: Node): string | undefined {
  if (parent?.type !== "MemberExpression" || parent.object !== node) return undefined;
  return parent.computed ? textOf(parent.property) : parent.property.name;
}

/** Files that import each other in a circle, as groups in which each reaches each; `imports` is by path. */
export function cyclesIn(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  // Tarjan's algorithm: `low` is the oldest file on the stack that a file is known to reach.
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (path: string): number => {
    const index = low.size;
    const height = stack.length;
    low.set(path, index);
    stack.push(path);
    let lowest = index;
    for (const next of imports.get(path) ?? []) {
      if (!low.has(next)) lowest = Math.min(lowest, visit(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, low.get(next)!);
    }
    low.set(path, lowest);
    if (lowest === index) {
      const group = stack.splice(height);
      if (group.length > 1) cycles.push(group.sort());
    }
    return lowest;
  };
  for (const path of imports.keys()) if (!low.has(path)) visit(path);
  return cycles;
}

/** The files that each file of a package imports from its own package, by path. */
export function importGraph(
  files: readonly { readonly path: string; readonly imports: readonly Import[] }[],
  options: { readonly types: boolean },
): Map<string, string[]> {
  const graph = new Map<string, string[]>();
  for (const { path, imports } of files)
    graph.set(
      path,
      imports
        .filter(({ isType, specifier }) => specifier?.startsWith(".") && (options.types || !isType))
        .map(({ specifier }) => posix.join(posix.dirname(path), specifier!)),
    );
  return graph;
}
