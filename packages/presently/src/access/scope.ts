/**
 * Scopes: what a token says that its owner may do, in words that fit into a claim or a file.
 *
 *     track:room:*       be present on the topics that begin with room:, under the own id
 *     track-any:room:*   the same under any key, and on behalf of others: for servers
 *     watch:*            see who is present, and hear what is said, on every topic
 *     publish:user:{id}  say something on the topic that bears the own id
 *     inspect            read topics, cluster and metrics; inspect:metrics only these
 *     operate            kick and evict; operate:evict, operate:kick and operate:kick:room:* are parts of it
 *     *                  everything
 *
 * Scopes only ever add up: there is none that takes something away.
 */
import { InvalidArgumentError } from "@presently/replica";
import type { Action } from "./access.ts";
import { topicPattern } from "./topic-pattern.ts";

/** Whether somebody with this id may do it. */
export type Grant = (action: Action, id: string) => boolean;

const INSPECTED = ["topics", "cluster", "metrics"];

/** What a scope grants; undefined if the text is none. */
export function grantOf(scope: string): Grant | undefined {
  if (scope === "*") return () => true;
  const colon = scope.indexOf(":");
  const verb = colon < 0 ? scope : scope.slice(0, colon);
  const rest = colon < 0 ? undefined : scope.slice(colon + 1);
  if (rest === "") return undefined;
  switch (verb) {
    case "track":
      return onTopics(rest, (action, id) => action.kind === "track" && action.key === id);
    case "track-any":
      return onTopics(rest, ({ kind }) => kind === "track");
    case "watch":
    case "publish":
      return onTopics(rest, ({ kind }) => kind === verb);
    case "inspect":
      if (rest !== undefined && !INSPECTED.includes(rest)) return undefined;
      return (action) => action.kind === "inspect" && (rest === undefined || action.what === rest);
    case "operate":
      return operating(rest);
    default:
      return undefined;
  }
}

/**
 * What several scopes grant together.
 *
 * @throws {InvalidArgumentError} naming the one that is no scope
 */
export function grantsOf(scopes: readonly string[], what = "scopes"): Grant {
  const grants = scopes.map((scope) => {
    const grant = typeof scope === "string" ? grantOf(scope) : undefined;
    if (grant === undefined)
      throw new InvalidArgumentError(
        what,
        `has ${JSON.stringify(scope)}: write track:, track-any:, watch: or publish: and a topic (* for any), inspect, operate or *`,
      );
    return grant;
  });
  return (action, id) => grants.some((grant) => grant(action, id));
}

function onTopics(pattern: string | undefined, fits: Grant): Grant | undefined {
  if (pattern === undefined) return undefined;
  const topics = topicPattern(pattern);
  return (action, id) => "topic" in action && topics.matches(action.topic, id) && fits(action, id);
}

function operating(rest: string | undefined): Grant | undefined {
  if (rest === undefined) return ({ kind }) => kind === "operate";
  if (rest === "evict" || rest === "kick")
    return (action) => action.kind === "operate" && action.what === rest;
  const pattern = /^kick:(.+)$/s.exec(rest)?.[1];
  return onTopics(pattern, (action) => action.kind === "operate" && action.what === "kick");
}
