/** The resources of the HTTP API, one function each. */
import { InvalidArgumentError } from "@presently/replica";
import type { Action } from "../access/access.ts";
import { isReservedTopic } from "../drop-in/reserved-topics.ts";
import { HttpRequestError } from "../errors.ts";
import type { ApiContext } from "./api-context.ts";
import { evictReplica, getCluster } from "./cluster-api.ts";
import { ClusterSurvey } from "./cluster-survey.ts";
import { parseJsonObject, type Reply } from "./json.ts";
import { postMessage } from "./message-api.ts";
import { metricsHandler } from "./metrics.ts";
import { topicIn } from "./names.ts";
import { deletePresence, isEverywhere, putPresence } from "./presence-api.ts";
import { topicJson } from "./presence-json.ts";
import type { ApiRequest, Route } from "./route.ts";
import type { ServedNode } from "./served-node.ts";
import { parseQuery } from "./target.ts";
import { ENTRIES_PER_SLICE, TopicBodies } from "./topic-body.ts";
import { pageOfTopics, parseCursor, parseLimit, parseOrder } from "./topic-page.ts";

/** The routes of the API. */
export function apiRoutes(context: ApiContext): readonly Route[] {
  const { node } = context;
  const survey = new ClusterSurvey(node);
  const bodies = new TopicBodies(node);
  return [
    // How a load balancer learns what to do with this node; they say nothing about anybody.
    { method: "GET", path: "/healthz", needs: "anybody", handle: healthz },
    { method: "GET", path: "/readyz", needs: "anybody", handle: (request) => readyz(request, node) },
    { method: "GET", path: "/metrics", needs: toInspect("metrics"), handle: metricsHandler(node) },
    {
      method: "GET",
      path: "/api/cluster",
      needs: toInspect("cluster"),
      handle: (request) => getCluster(request, node),
    },
    {
      method: "GET",
      path: "/api/cluster/peers",
      needs: toInspect("cluster"),
      handle: (request) => survey.get(request),
    },
    {
      method: "GET",
      path: "/api/cluster/notices",
      needs: toInspect("cluster"),
      handle: (request) => notices(request, context),
    },
    {
      method: "GET",
      path: "/api/topics",
      needs: toInspect("topics"),
      handle: (request) => topics(request, node),
    },
    {
      method: "GET",
      path: "/api/topics/:topic",
      needs: toWatch,
      handle: (request) => topic(request, context, bodies),
    },
    {
      method: "GET",
      path: "/api/topics/:topic/events",
      needs: toFollow,
      handle: (request) => events(request, context),
    },
    {
      method: "POST",
      path: "/api/topics/:topic/messages",
      needs: toPublish,
      handle: (request) => postMessage(request, context),
    },
    {
      method: "PUT",
      path: "/api/topics/:topic/presences/:key",
      needs: toTrack,
      handle: (request) => putPresence(request, context),
    },
    {
      method: "DELETE",
      path: "/api/topics/:topic/presences/:key",
      needs: toRemove,
      handle: (request) => deletePresence(request, context),
    },
    {
      method: "DELETE",
      path: "/api/cluster/replicas/:replica",
      needs: ({ params }) => [{ kind: "operate", what: "evict", replica: params.replica! }],
      handle: (request) => evictReplica(request, context),
    },
  ];
}

const toInspect = (what: "topics" | "cluster" | "metrics") => (): readonly Action[] => [
  { kind: "inspect", what },
];

/** What a drop-in keeps on a topic of its own is for operators, who may see all topics. */
function toWatch({ params }: ApiRequest): readonly Action[] {
  const topic = params.topic!;
  const needed: Action[] = [{ kind: "watch", topic }];
  return isReservedTopic(topic, "http") ? [...needed, { kind: "inspect", what: "topics" }] : needed;
}

/** Whoever gives a key is present as long as the stream is open. */
function toFollow(request: ApiRequest): readonly Action[] {
  const { key } = parseQuery(request.query, ["key", "meta"]);
  const { topic } = request.params as { topic: string };
  return key === undefined ? toWatch(request) : [...toWatch(request), trackOf(topic, key)];
}

/** @throws {HttpRequestError} `FORBIDDEN`, whoever asks, for a topic that a drop-in keeps for itself */
function toPublish({ params }: ApiRequest): readonly Action[] {
  const topic = params.topic!;
  if (isReservedTopic(topic, "http"))
    throw new HttpRequestError(403, "FORBIDDEN", "nobody may say anything on a topic that is reserved");
  return [{ kind: "publish", topic }];
}

function toTrack({ params }: ApiRequest): readonly Action[] {
  return [trackOf(params.topic!, params.key!)];
}

/** @throws {HttpRequestError} `FORBIDDEN`, whoever asks, for a topic that a drop-in keeps for itself */
function trackOf(topic: string, key: string): Action {
  if (isReservedTopic(topic, "http"))
    throw new HttpRequestError(403, "FORBIDDEN", "nobody may be present on a topic that is reserved");
  return { kind: "track", topic, key };
}

/** What was PUT is taken back by whoever may put it; what others did is undone by an operator. */
function toRemove(request: ApiRequest): readonly Action[] {
  const { topic, key } = request.params as { topic: string; key: string };
  return isEverywhere(request.query) ? [{ kind: "operate", what: "kick", topic, key }] : toTrack(request);
}

function healthz({ query }: ApiRequest): Reply {
  parseQuery(query, []);
  return { status: 200, body: { status: "ok" } };
}

function readyz({ query }: ApiRequest, node: ServedNode): Reply {
  parseQuery(query, []);
  const { notReadyReason } = node;
  if (notReadyReason !== undefined) throw new HttpRequestError(503, "NOT_READY", notReadyReason);
  return { status: 200, body: { status: "ready" } };
}

function topics({ query }: ApiRequest, node: ServedNode): Reply {
  const { prefix, limit, cursor, sort } = parseQuery(query, ["prefix", "limit", "cursor", "sort"]);
  const [size, after, order] = [parseLimit(limit), parseCursor(cursor), parseOrder(sort)];
  return { status: 200, body: pageOfTopics(node.readTopics(prefix), size, after, order) };
}

function topic(
  { params, query }: ApiRequest,
  { node, limits }: ApiContext,
  bodies: TopicBodies,
): Reply | Promise<Reply> {
  parseQuery(query, []);
  const name = topicIn(params, limits);
  if (node.count(name).entries > ENTRIES_PER_SLICE)
    return bodies.of(name).then((encoded) => ({ status: 200, encoded }));
  return { status: 200, body: topicJson(name, node.list(name)) };
}

function events(
  { request, response, params, query }: ApiRequest,
  { events, origins, limits }: ApiContext,
): Reply | undefined {
  const topic = topicIn(params, limits);
  const { key, meta } = parseQuery(query, ["key", "meta"]);
  if (key === undefined && meta !== undefined) {
    throw new InvalidArgumentError("meta", "needs a key: add key=<who is present> to the query");
  }
  if (key !== undefined) origins.check(request);
  const parsedMeta = meta === undefined ? undefined : parseJsonObject(meta, "meta");
  if (request.method === "HEAD") return { status: 200, headers: { "content-type": "text/event-stream" } };
  events.open(response, { topic, key, meta: parsedMeta });
  return undefined;
}

function notices(
  { request, response, query }: ApiRequest,
  { events, notices }: ApiContext,
): Reply | undefined {
  parseQuery(query, []);
  if (request.method === "HEAD") return { status: 200, headers: { "content-type": "text/event-stream" } };
  events.openNotices(response, notices);
  return undefined;
}
