/** Puts the dashboard together: which parts there are, what each is told, and when they are drawn. */
import { ago } from "../ago.js";
import { drawCluster } from "../cluster-picture.js";
import { byId, element, reconcile, setAttribute, setText } from "../dom.js";
import { bytes, milliseconds, plural, short, whole } from "../numbers.js";
import { poll } from "../poll.js";
import { readAddress } from "./address.js";
import { Api, tokenHelps } from "./api.js";
import { ClusterFacts } from "./cluster-facts.js";
import { askToken, isAsking } from "./dialogs.js";
import { Feed } from "./feed-view.js";
import { healthOf } from "./health.js";
import { Operator } from "./operator.js";
import { showReplicas } from "./replicas-view.js";
import { Tiles } from "./tiles.js";
import { TopicView } from "./topic-view.js";
import { Topics } from "./topics-view.js";
import { visible } from "./visible.js";

const TICK_MS = 1_000;
/** However much happens, it is drawn no more often than that, and takes no more than a tenth of the time. */
const RENDER_MS = 200;
const RENDER_REST_FACTOR = 10;
const SURVEY_MS = 2_000;
const SURVEY_REST_FACTOR = 10;
const CONCERNS_SHOWN_MAX = 8;
const FRAME_WIDE = { width: 640, height: 400, margin: 40 };
/** On a phone: what is drawn is not made smaller, but drawn closer together. */
const FRAME_NARROW = { width: 380, height: 330, margin: 6 };
const NARROW_PX = 480;
/** So much of a part has to be on the screen to be noticed. */
const OUT_OF_SIGHT_PX = 160;
/** Numbers stand on the links only while there is room for them; links of others are drawn only while they can be told apart. */
const LABELLED_NODES_MAX = 6;
const DRAWN_WHOLE_NODES_MAX = 12;

const api = new Api(sessionStorage);
const facts = new ClusterFacts(performance.now());
const tiles = new Tiles("tiles");
const parts = {
  picture: byId("picture"),
  nodesGroup: byId("picture-nodes"),
  linksGroup: byId("picture-links"),
};

/** Why the node refuses to say anything; undefined while it does not. @type {string | undefined} */
let refusal;
/** Whether something was refused that another token may open. */
let tokenWanted = false;
/** Whether somebody has closed the question: then it is asked again only when they ask for it. */
let declined = false;

const feed = new Feed({ api, onChange: renderSoon, onRefused: tokenMayHelp });
const topic = new TopicView({
  api,
  onChange: renderSoon,
  onRefused: tokenMayHelp,
  onKick: (person) => operator.kick(person),
});
const topics = new Topics({
  api,
  onChange: renderSoon,
  onRefused: tokenMayHelp,
  onChoose: (name) => {
    topic.choose(name);
    // On a phone it opens out of sight; elsewhere it stands beside the list, in which somebody may want to go on.
    if (byId("topic").getBoundingClientRect().top > innerHeight - OUT_OF_SIGHT_PX) {
      byId("topic").focus({ preventScroll: true });
      byId("topic").scrollIntoView();
    }
  },
});
const operator = new Operator({
  api,
  askToken: (why) => enterToken(why),
  onDone: (outcome) => {
    feed.notices.did(outcome, Date.now());
    askCluster();
    topics.refresh();
    renderSoon();
  },
});

const askCluster = poll({
  read: (signal) => api.get("/api/cluster", signal),
  onAnswer: (report) => {
    if (facts.isSilent(performance.now()) || refusal !== undefined) retryStreams();
    refusal = undefined;
    facts.reported(report, performance.now());
    renderSoon();
  },
  onSilence: (_, cause) => {
    if (cause.needsToken) refusal = api.explain(cause);
    tokenMayHelp(cause);
    renderSoon();
  },
});

poll({
  read: (signal) => api.get("/api/cluster/peers", signal),
  intervalMs: SURVEY_MS,
  restFactor: SURVEY_REST_FACTOR,
  onAnswer: (survey) => facts.surveyed(survey, performance.now()),
  // What the others said is shown for a while, and then as not known; that the node is silent shows elsewhere.
  onSilence: () => renderSoon(),
});

function retryStreams() {
  feed.retryNow();
  topic.retryNow();
}

/**
 * Asks for a token by itself where there is none that counts; after "not now", and where a token counts and is not enough,
 * only the button does.
 */
function tokenMayHelp(error) {
  if (!tokenHelps(error)) return;
  tokenWanted = true;
  if (declined || isAsking() || (error.status === 403 && api.token !== undefined)) return;
  void enterToken(api.explain(error));
}

/** Answers whether there is one now. */
async function enterToken(why) {
  if (isAsking()) return false;
  const token = await askToken(why);
  declined = token === undefined;
  if (token === undefined) return false;
  useToken(token);
  return true;
}

function useToken(token) {
  api.token = token;
  tokenWanted = false;
  askCluster();
  topics.refresh();
  feed.open();
  topic.open();
  renderSoon();
}

let renderTimer;
let renderTookMs = 0;

function renderSoon() {
  renderTimer ??= setTimeout(render, Math.max(RENDER_MS, RENDER_REST_FACTOR * renderTookMs));
}

function render() {
  clearTimeout(renderTimer);
  renderTimer = undefined;
  const nowMs = performance.now();
  const silent = facts.isSilent(nowMs);
  setAttribute(document.body, "data-stale", silent && facts.report !== undefined);
  showConnection(silent, nowMs);
  showHealth(nowMs);
  tiles.show(numbers(nowMs), nowMs);
  showMesh(nowMs);
  showReplicas(facts.replicas(nowMs), { onEvict: (replica) => operator.evict(replica) });
  feed.show(Date.now(), silent);
  topics.show(nowMs, topic.topic);
  topic.show(nowMs, silent);
  byId("token-forget").hidden = api.token === undefined;
  byId("token-enter").hidden = !tokenWanted;
  renderTookMs = performance.now() - nowMs;
}

function showConnection(silent, nowMs) {
  const node = facts.report === undefined ? location.host : visible(facts.report.node);
  const state =
    refusal !== undefined
      ? "refused"
      : silent
        ? "silent"
        : facts.report === undefined
          ? "connecting"
          : "live";
  const text = {
    refused: `${node} asks for a token`,
    silent: facts.report === undefined ? `${node} is not answering` : `As of ${ago(facts.silentMs(nowMs))}`,
    connecting: `Connecting to ${node}…`,
    live: `Live from ${node}`,
  }[state];
  setAttribute(byId("connection"), "data-state", state);
  setText(byId("connection-text"), text);
  const cluster = facts.report === undefined ? "" : `${visible(facts.report.cluster)} · `;
  document.title = `${state === "live" ? "" : "! "}${cluster}Dashboard · Presently`;
}

function showHealth(nowMs) {
  const health =
    refusal === undefined || (facts.report !== undefined && !facts.isSilent(nowMs))
      ? healthOf(facts, nowMs)
      : { level: "unknown", title: "This node asks for a token", detail: refusal, concerns: [] };
  setAttribute(byId("health"), "data-level", health.level);
  setText(byId("health-title"), health.title);
  setText(byId("health-detail"), health.detail ?? "");
  const shown = health.concerns.slice(0, CONCERNS_SHOWN_MAX);
  const rest = health.concerns.length - shown.length;
  if (rest > 0) shown.push({ level: "note", text: `and ${whole(rest)} more` });
  byId("concerns").hidden = shown.length === 0;
  reconcile(byId("concerns"), shown, {
    key: ({ level, text }) => `${level} ${text}`,
    create: ({ level, text }) =>
      element(
        "li",
        { "data-level": level },
        element("span", { class: "lamp", "aria-hidden": "true" }),
        element("span", {}, text, element("span", { class: "muted" })),
      ),
    update: (row, { detail }) =>
      setText(row.lastElementChild.lastElementChild, detail === undefined ? "" : ` · ${detail}`),
  });
}

/** @returns {import("./tiles.js").Tile[]} */
function numbers(nowMs) {
  const fresh = !facts.isSilent(nowMs);
  const total = topics.total(nowMs);
  const perSecond = (value) => `${bytes(value)}/s`;
  const replicas = fresh ? facts.replicas(nowMs).filter(({ earlier }) => !earlier) : [];
  const up = replicas.filter(({ status }) => status === "self" || status === "up").length;
  return [
    {
      ...{ name: "Replicas up", what: "Replicas that are up", format: whole },
      value: replicas.length === 0 ? undefined : up,
      detail: replicas.length === 0 ? undefined : `of ${whole(replicas.length)}`,
    },
    {
      ...{ name: "Entries", what: "Presences that are shown", format: whole },
      value: fresh ? facts.entries() : undefined,
      detail: total === undefined ? undefined : `on ${plural(total.topics, "topic")}`,
    },
    {
      ...{ name: "Changes", what: "Joins, leaves and updates a second, of all nodes", format: short },
      value: facts.changesPerSecond(nowMs),
      detail: "a second",
    },
    {
      ...{ name: "Received", what: "Bytes a second that this node receives from others", format: perSecond },
      value: facts.receivedPerSecond(nowMs),
    },
    {
      ...{ name: "Sent", what: "Bytes a second that this node sends to others", format: perSecond },
      value: facts.sentPerSecond(nowMs),
    },
  ];
}

function showMesh(nowMs) {
  const { self, nodes, links } = facts.mesh(nowMs);
  const crowded = nodes.length > DRAWN_WHOLE_NODES_MAX;
  const drawn = crowded ? links.filter(({ own, status }) => own || status !== "up") : links;
  const room = nodes.length <= LABELLED_NODES_MAX;
  // Later ones cover earlier ones, and the links of this node have the labels.
  const labelled = drawn
    .map((link) => ({ ...from(self, link), label: room ? labelOf(link) : "" }))
    .sort((a, b) => Number(a.own === true) - Number(b.own === true));
  setAttribute(parts.picture, "data-crowded", crowded);
  const frame = parts.picture.clientWidth < NARROW_PX ? FRAME_NARROW : FRAME_WIDE;
  setAttribute(parts.picture, "viewBox", `0 0 ${frame.width} ${frame.height}`);
  drawCluster(parts, nodes, labelled, frame);
  const age = facts.isSilent(nowMs) ? `saw it ${ago(facts.silentMs(nowMs))}` : "sees it";
  const view = self === undefined ? "" : `as ${visible(self)} ${age}`;
  setText(byId("mesh-view"), crowded ? `${view}; of others, broken links only` : view);
  const count = facts.replicas(nowMs).length;
  setText(byId("replicas-view"), self === undefined ? "" : `${view} · ${plural(count, "replica")}`);
}

/** A label stands nearer to where its link begins. */
function from(self, link) {
  return link.b === self ? { ...link, a: link.b, b: link.a } : link;
}

function labelOf({ own, status, roundTripMs, inPerSecond, outPerSecond }) {
  if (!own || status !== "up") return "";
  const traffic =
    inPerSecond === undefined || outPerSecond === undefined ? [] : [`${bytes(inPerSecond + outPerSecond)}/s`];
  return [...(roundTripMs === undefined ? [] : [milliseconds(roundTripMs)]), ...traffic].join(" · ");
}

function record() {
  const nowMs = performance.now();
  tiles.record(numbers(nowMs), nowMs);
  topic.record(nowMs, facts.isSilent(nowMs));
}

byId("token-enter").addEventListener(
  "click",
  () => void enterToken(refusal ?? "Some of this needs another token."),
);
byId("token-forget").addEventListener("click", () => useToken(undefined));
addEventListener("online", retryStreams);
// A page that the browser keeps for "back" listens to nothing.
addEventListener("pagehide", () => {
  feed.close();
  topic.close();
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  feed.open();
  topic.open();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  retryStreams();
  render();
});
setInterval(() => {
  record();
  if (!document.hidden) renderSoon();
}, TICK_MS);

feed.open();
const { topic: chosen } = readAddress();
if (chosen !== undefined) topic.choose(chosen);
render();
