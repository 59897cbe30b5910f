/** Puts the page together: which parts there are, and what each is told when something happens. */
import { Activity } from "./activity-view.js";
import { ClusterView } from "./cluster-view.js";
import { showConnection } from "./connection-view.js";
import { Api, tokenHelps } from "./dashboard/api.js";
import { findDemo } from "./demo-control.js";
import { describeDevice } from "./device.js";
import { byId, element, setText } from "./dom.js";
import { plural } from "./numbers.js";
import { showPeople } from "./people-view.js";
import { findPhoenix, PhoenixStream } from "./phoenix-stream.js";
import { poll } from "./poll.js";
import { lostReplicas, reasonAmong } from "./reasons.js";
import { describeChanges, Roster } from "./roster.js";
import { ROOM_PREFIX, readSettings, rememberJoined, rememberLeft, tidy } from "./settings.js";
import { TopicStream } from "./topic-stream.js";
import { visible } from "./visible.js";

const TICK_MS = 1_000;
/** A node that has not answered for that long is said not to. */
const SILENCE_MS = 3_000;
const ROOMS_SHOWN_MAX = 8;

/** The token is that of the dashboard in the same tab: whoever has entered it there need not enter it here. */
const api = new Api(sessionStorage);
const roster = new Roster();
const activity = new Activity(byId("activity"));
const cluster = new ClusterView();

/** The room that this page is in; undefined while it shows the form. */
let presence;
let renderTimer;

function join({ name, room }) {
  const meta = { name, device: describeDevice(navigator), since: Date.now() };
  // `lostAtMs`: since when what is shown may be out of date, by `performance.now()`.
  presence = { name, room, meta, status: { kind: "connecting" }, wasLive: false, lostAtMs: undefined };
  activity.clear();
  cluster.room = room;
  byId("join").hidden = true;
  byId("room").hidden = false;
  setText(byId("room-name"), visible(room));
  setText(byId("terminal-command"), terminalCommand(room));
  document.title = `${visible(room)} · Presently`;
  openStream();
  render();
}

/** Over phoenix.js where the node serves it, and otherwise over server-sent events. */
function openStream() {
  const joined = presence;
  const onStatus = (status) => showStatus(joined, status);
  joined.stream =
    phoenix === undefined
      ? new TopicStream(eventsUrl(joined.room, joined.name, joined.meta), {
          onState: (state) => {
            roster.reset(state);
            stateCame(joined);
          },
          onDiff: (diff) => {
            const happenings = roster.apply(diff);
            if (happenings !== undefined) activity.add(happenings);
            renderSoon();
            return happenings !== undefined;
          },
          onStatus,
        })
      : new PhoenixStream(
          { phoenix, topic: ROOM_PREFIX + joined.room, name: joined.name, meta: joined.meta },
          {
            onState: (list) => {
              roster.follow(list);
              stateCame(joined);
            },
            onChange: (list) => {
              void tell(joined, roster.follow(list));
              renderSoon();
            },
            onStatus,
          },
        );
}

function stateCame(joined) {
  if (!joined.wasLive) rememberJoined(joined);
  else if (joined.lostAtMs !== undefined) activity.add([ofThisPage("is connected again")]);
  joined.wasLive = true;
  joined.lostAtMs = undefined;
  renderSoon();
}

/** Phoenix does not say why somebody left; the node knows which replicas are lost. */
async function tell(joined, changes) {
  const someLeft = changes.some(({ before, after }) => after.length < before.length);
  const lost = someLeft ? await lostReplicas("/api/cluster") : [];
  if (presence !== joined) return;
  activity.add(describeChanges(changes, reasonAmong(lost)));
  renderSoon();
}

function showStatus(joined, status) {
  joined.status = status;
  if (status.kind === "live") void askCluster();
  if (status.kind === "waiting" && joined.wasLive && joined.lostAtMs === undefined) {
    joined.lostAtMs = performance.now();
    activity.add([ofThisPage("lost its connection")]);
  }
  if (status.kind === "refused") leave(tokenMayHelp(status) ? api.explain(status) : status.message);
  renderSoon();
}

/** Shows the field for a token, if another one may open what was refused; returns whether it may. */
function tokenMayHelp(refusal) {
  const helps = tokenHelps(refusal);
  if (helps) byId("join-token-label").hidden = false;
  return helps;
}

function ofThisPage(text) {
  return { kind: "system", name: "This page", text };
}

/** Back to the form, saying why if it was not asked for. */
function leave(error) {
  presence?.stream?.close();
  presence = undefined;
  rememberLeft();
  document.title = "Presently";
  showForm(error);
  render();
}

function showForm(error) {
  byId("room").hidden = true;
  byId("join").hidden = false;
  setText(byId("join-error"), error ?? "");
  byId("join-error").hidden = error === undefined;
  byId(byId("join-name").value === "" ? "join-name" : "join-room").focus();
  void showRooms();
}

async function showRooms() {
  const topics = await roomTopics();
  const busiest = topics.sort((a, b) => b.keys - a.keys).slice(0, ROOMS_SHOWN_MAX);
  byId("rooms").hidden = busiest.length === 0;
  byId("rooms-list").replaceChildren(
    ...busiest.map(({ topic, keys }) => roomButton(topic.slice(ROOM_PREFIX.length), keys)),
  );
}

async function roomTopics() {
  try {
    return (await api.get(`/api/topics?prefix=${encodeURIComponent(ROOM_PREFIX)}`)).topics;
  } catch (error) {
    // A node that does not answer offers no rooms; the connection's state says that it does not.
    tokenMayHelp(error);
    return [];
  }
}

function roomButton(room, people) {
  const choose = () => {
    byId("join-room").value = room;
    byId("join-name").focus();
  };
  const count = element(
    "span",
    { class: "chip-count" },
    String(people),
    element("span", { class: "visually-hidden" }, " people"),
  );
  return element(
    "li",
    {},
    element("button", { type: "button", onclick: choose }, element("bdi", {}, visible(room)), " ", count),
  );
}

function renderSoon() {
  // Not by animation frame: those do not come while the tab is hidden, and its title is still read.
  renderTimer ??= setTimeout(render);
}

function render() {
  clearTimeout(renderTimer);
  renderTimer = undefined;
  showConnection({ node: cluster.report?.node ?? location.host, silent: cluster.silent, presence });
  cluster.show();
  if (presence === undefined) return;
  const people = roster.people();
  const own = people.findIndex(({ key }) => key === presence.name);
  if (own > 0) people.unshift(...people.splice(own, 1));
  showPeople({ list: byId("people"), more: byId("people-more") }, people, presence.name);
  setText(byId("room-count"), countText(people));
  activity.show();
}

function countText(people) {
  const nodes = new Set(people.flatMap(({ connections }) => connections.map(({ node }) => node)));
  return [
    plural(people.length, "person", "people"),
    plural(roster.entries, "connection"),
    plural(nodes.size, "node"),
  ].join(" · ");
}

function eventsUrl(room, key, meta) {
  const query = new URLSearchParams({ key, meta: JSON.stringify(meta) });
  // An event stream cannot carry header fields.
  if (api.token !== undefined) query.set("access_token", api.token);
  return `/api/topics/${encodeURIComponent(ROOM_PREFIX + room)}/events?${query}`;
}

function terminalCommand(room) {
  const topic = encodeURIComponent(ROOM_PREFIX + room).replaceAll("'", "%27");
  const meta = encodeURIComponent(JSON.stringify({ device: "terminal" }));
  return `curl -N '${location.origin}/api/topics/${topic}/events?key=someone&meta=${meta}'`;
}

byId("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const [name, room] = [tidy(byId("join-name").value), tidy(byId("join-room").value)];
  const token = byId("join-token").value.trim();
  if (token !== "") api.token = token;
  if (name === "" || room === "") return;
  join({ name, room });
  // What had the focus is hidden: who came by keyboard goes on from the room's name.
  byId("room-name").focus();
});
byId("leave").addEventListener("click", () => leave());

// A page that the browser keeps for "back" is not here any more, and is again when it comes back.
addEventListener("pagehide", () => presence?.stream?.close());
addEventListener("pageshow", ({ persisted }) => persisted && presence !== undefined && openStream());
addEventListener("online", () => presence?.stream?.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  presence?.stream?.retryNow();
  render();
});

let demo;
let unanswered = false;
const askCluster = poll({
  read: (signal) => api.get("/api/cluster", signal),
  onAnswer: (report) => {
    cluster.report = report;
    cluster.silent = false;
    // The node is back, so the stream need not wait for its turn.
    if (unanswered) presence?.stream?.retryNow();
    unanswered = false;
    void demo?.refresh().then(renderSoon);
    renderSoon();
  },
  onSilence: (silentMs, cause) => {
    // To be refused is an answer.
    const refused = tokenMayHelp(cause);
    cluster.silent = !refused && silentMs > SILENCE_MS;
    unanswered = !refused;
    void demo?.refresh().then(renderSoon);
    renderSoon();
  },
});
setInterval(() => document.hidden || render(), TICK_MS);

// The form is filled in before anything is waited for: later, it could overwrite what somebody has typed.
const settings = readSettings();
byId("join-name").value = settings.name;
byId("join-room").value = settings.room;
// Known before the room is joined, because it says how.
const phoenix = await findPhoenix();
if (settings.autoJoin && settings.name !== "" && settings.room !== "") join(settings);
else showForm();

demo = await findDemo();
cluster.demo = demo;
await demo?.refresh();
renderSoon();
