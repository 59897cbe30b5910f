/** The resource of one presence that a back end PUTs and DELETEs, at whichever node. */
import { checkInteger, InvalidArgumentError } from "@presently/replica";
import { HttpRequestError } from "../errors.ts";
import type { ApiContext } from "./api-context.ts";
import { readBody } from "./body.ts";
import { asObject, parseJsonObject, type Reply } from "./json.ts";
import { checkedName, keyIn, topicIn } from "./names.ts";
import type { PutContent, PutName } from "./put-presences.ts";
import type { ApiRequest } from "./route.ts";
import { parseQuery } from "./target.ts";

/** As long as a timer can wait. */
const TTL_MAX_MS = 2_147_483_647;

/** Handles `PUT /api/topics/:topic/presences/:key`. */
export async function putPresence(
  { request, params, query }: ApiRequest,
  { node, origins, limits }: ApiContext,
): Promise<Reply> {
  const { id } = parseQuery(query, ["id"]);
  origins.check(request);
  const name = nameIn(params, id, limits);
  const text = await readBody(request, limits.bodyBytesMax);
  const content = text === "" ? { meta: {} } : contentIn(parseJsonObject(text, "the request body"));
  const { ref, created } = await node.puts.put(name, content);
  const { topic, key } = name;
  return { status: created ? 201 : 200, body: { topic, key, ref } };
}

function contentIn(body: Record<string, unknown>): PutContent {
  const { meta = {}, ttlMs, ...unknown } = body;
  const [field] = Object.keys(unknown);
  if (field !== undefined) {
    throw new InvalidArgumentError(
      `the field ${JSON.stringify(field)}`,
      'is unknown: send { "meta": { … }, "ttlMs": … }, either or no body',
    );
  }
  return { meta: asObject(meta, "meta"), ttlMs: ttlMs === undefined ? undefined : ttlIn(ttlMs) };
}

function ttlIn(ttlMs: unknown): number {
  checkInteger("ttlMs", ttlMs, 1);
  if ((ttlMs as number) > TTL_MAX_MS)
    throw new InvalidArgumentError("ttlMs", `must be at most ${TTL_MAX_MS}, not ${ttlMs}`);
  return ttlMs as number;
}

/** Handles `DELETE /api/topics/:topic/presences/:key`. */
export async function deletePresence(
  { request, params, query }: ApiRequest,
  { node, origins, limits }: ApiContext,
): Promise<Reply> {
  const { id } = parseQuery(query, ["id", "everywhere"]);
  const everywhere = isEverywhere(query);
  if (everywhere && id !== undefined)
    throw new InvalidArgumentError("id", "has no meaning with everywhere=true, which removes all of the key");
  origins.check(request);
  const name = nameIn(params, id, limits);
  const { topic, key } = name;
  const found = everywhere ? node.remove(topic, key) > 0 : await node.puts.remove(name);
  if (found) return { status: 204 };
  const how = everywhere
    ? ""
    : id === undefined
      ? " by a PUT"
      : ` by a PUT with the id ${JSON.stringify(id)}`;
  throw new HttpRequestError(
    404,
    "NOT_FOUND",
    `${JSON.stringify(key)} is not present on ${JSON.stringify(topic)}${how}`,
  );
}

/** Whether a DELETE is of all presences of the key, whoever has tracked them. */
export function isEverywhere(query: string): boolean {
  const { everywhere = "false" } = parseQuery(query, ["id", "everywhere"]);
  if (everywhere !== "true" && everywhere !== "false") {
    throw new InvalidArgumentError(`everywhere ${JSON.stringify(everywhere)}`, "must be true or false");
  }
  return everywhere === "true";
}

function nameIn(params: ApiRequest["params"], id: string | undefined, limits: ApiContext["limits"]): PutName {
  return {
    topic: topicIn(params, limits),
    key: keyIn(params, limits),
    id: id === undefined ? "" : checkedName("id", id, limits.keyBytesMax),
  };
}
