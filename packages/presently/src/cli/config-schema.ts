/** The JSON Schema of the configuration file, made of the tables of options: editors complete and check by it. */
import { logLevels } from "../logger.ts";
import { type OptionSpec, optionTable } from "../option-table.ts";
import { commandTable } from "./command-table.ts";

/** A schema of draft 7, the one that editors know. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

/** The whole schema. Cost: some hundred objects, made anew at each call. */
export function configSchema(): Schema {
  const root = new Section();
  for (const spec of optionTable) {
    // The private key is a secret, and those stand in files of their own.
    if (spec.path !== "mesh.tls.key") root.add(spec.path, schemaOf(spec));
    if (spec.file === true) {
      const description = `Path of a file with: ${spec.help} From where the configuration file is.`;
      root.add(`${spec.path}File`, { type: "string", minLength: 1, description });
    }
  }
  for (const spec of commandTable) root.add(spec.path, schemaOf(spec));
  const schema = root.schema() as { readonly properties: Record<string, Schema> };
  const { http } = schema.properties;
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Configuration of presently start",
    ...schema,
    properties: {
      // For editors that take the name of the schema from the file.
      $schema: { type: "string" },
      ...schema.properties,
      http: { anyOf: [http, { const: false, description: "No HTTP API and no page." }] },
    },
  };
}

/** An object with named fields, of which some are such objects. */
class Section {
  readonly #fields = new Map<string, Schema | Section>();

  add(path: string, schema: Schema): void {
    const [field, rest] = splitOnce(path);
    if (rest === undefined) {
      this.#fields.set(field, schema);
      return;
    }
    const known = this.#fields.get(field);
    const section = known instanceof Section ? known : new Section();
    this.#fields.set(field, section);
    section.add(rest, schema);
  }

  schema(): Schema {
    const fields = [...this.#fields].map(([name, field]) => [
      name,
      field instanceof Section ? field.schema() : field,
    ]);
    return { type: "object", additionalProperties: false, properties: Object.fromEntries(fields) };
  }
}

function splitOnce(path: string): [string, string | undefined] {
  const dot = path.indexOf(".");
  return dot < 0 ? [path, undefined] : [path.slice(0, dot), path.slice(dot + 1)];
}

function schemaOf(spec: OptionSpec): Schema {
  const { unit, help, defaultText, default: byDefault, path } = spec;
  const about = {
    description: `${unit === undefined ? "" : `In ${unit}. `}${help}${defaultText === undefined ? "" : ` Default: ${defaultText}.`}`,
    ...(byDefault === undefined ? {} : { default: path === "logLevel" ? "info" : byDefault }),
  };
  if (path === "logLevel") return { anyOf: logLevels.map((level) => ({ const: level })), ...about };
  return { ...plainSchema(spec), ...about };
}

function plainSchema({ kind, min, max }: OptionSpec): Schema {
  switch (kind) {
    case "switch":
      return { type: "boolean" };
    case "text":
      return { type: "string", minLength: 1 };
    case "texts":
      return { type: "array", items: { type: "string" } };
    case "integer":
      return {
        type: "integer",
        ...(min === undefined ? {} : { minimum: min }),
        ...(max === undefined ? {} : { maximum: max }),
      };
  }
}
