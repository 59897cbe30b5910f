/** Puts the dashboard together: which parts there are, what each is told, and when they are drawn. */
import { ago } from "../ago.js";
import { byId, setAttribute, setText } from "../dom.js";
import { poll } from "../poll.js";
import { visible } from "../visible.js";
import { readAddress } from "./address.js";
import { Api, tokenHelps } from "./api.js";
import { ClusterFacts } from "./cluster-facts.js";
import { clusterNumbers } from "./cluster-numbers.js";
import { askToken, isAsking } from "./dialogs.js";
import { Feed } from "./feed-view.js";
import { showHealth } from "./health-view.js";
import { showMesh } from "./mesh-view.js";
import { Operator } from "./operator.js";
import { showReplicas } from "./replicas-view.js";
import { Tiles } from "./tiles.js";
import { TopicView } from "./topic-view.js";
import { Topics } from "./topics-view.js";

const TICK_MS = 1_000;
/** However much happens, it is drawn no more often than that, and takes no more than a tenth of the time. */
const RENDER_MS = 200;
const RENDER_REST_FACTOR = 10;
const SURVEY_MS = 2_000;
/** A browser opens six connections to a node, for all its tabs together: those at which nobody looks give theirs back. */
const REST_AFTER_MS = 10_000;
const SURVEY_REST_FACTOR = 10;
/** So much of a part has to be on the screen to be noticed. */
const OUT_OF_SIGHT_PX = 160;

const api = new Api(sessionStorage);
const facts = new ClusterFacts(performance.now());
const tiles = new Tiles("tiles");

/** Why the node refuses to say anything; undefined while it does not. @type {string | undefined} */
let refusal;
/** Whether something was refused that another token may open. */
let tokenWanted = false;
/** Whether the streams were closed because nobody looks. */
let resting = false;
let restTimer;
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
  showHealth(facts, nowMs, refusal);
  tiles.show(clusterNumbers(facts, topics.total(nowMs), nowMs), nowMs);
  showMesh(facts, nowMs);
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

function record() {
  const nowMs = performance.now();
  tiles.record(clusterNumbers(facts, topics.total(nowMs), nowMs), nowMs);
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
  clearTimeout(restTimer);
  if (document.hidden) {
    restTimer = setTimeout(() => {
      feed.close();
      topic.close();
      resting = true;
    }, REST_AFTER_MS);
    return;
  }
  if (resting) {
    resting = false;
    feed.open();
    topic.open();
  } else retryStreams();
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
