/** The resource of what is said on a topic, to everybody there. */
import { InvalidArgumentError } from "@presently/replica";
import { publishToTopic } from "../drop-in/topic-messages.ts";
import type { ApiContext } from "./api-context.ts";
import { readBody } from "./body.ts";
import { parseJsonObject, type Reply } from "./json.ts";
import { checkedName, topicIn } from "./names.ts";
import type { ApiRequest } from "./route.ts";
import { parseQuery } from "./target.ts";

/** Handles `POST /api/topics/:topic/messages`. */
export async function postMessage(
  { request, params, query }: ApiRequest,
  { node, origins, limits }: ApiContext,
): Promise<Reply> {
  parseQuery(query, []);
  origins.check(request);
  const topic = topicIn(params, limits);
  const text = await readBody(request, limits.bodyBytesMax);
  const { event, data = null, ...unknown } = parseJsonObject(text, "the request body");
  const [field] = Object.keys(unknown);
  if (field !== undefined)
    throw new InvalidArgumentError(
      `the field ${JSON.stringify(field)}`,
      'is unknown: send { "event": "…", "data": … }',
    );
  if (typeof event !== "string")
    throw new InvalidArgumentError("event", 'must be a string: send { "event": "…", "data": … }');
  publishToTopic(node, { topic, event: checkedName("event", event, limits.topicBytesMax), data });
  return { status: 202, body: { topic, event } };
}
