/**
 * What the dashboard knows of the cluster, put together from what its node says (`GET /api/cluster`), what that node heard
 * from the others (`GET /api/cluster/peers`), and how long ago. Time comes in; what is not known is `undefined`.
 */
import { clusterModel } from "../cluster-model.js";
import { RateMeters } from "./rates.js";

/** A node that has not answered for that long is said not to. */
export const SILENCE_MS = 3_000;
/** What another node said is shown for so long; then nobody knows any more. */
const SURVEY_FRESH_MS = 10_000;

/**
 * @typedef {{ name: string, replica: string, incarnation: string, here: boolean, earlier: boolean, silent: boolean, status: string,
 *   linked: boolean, entries: number, events: number, behind: number | undefined, heardAgoMs: number | undefined,
 *   agrees: boolean | undefined, agreedAgoMs: number | undefined, roundTripMs: number | undefined,
 *   inPerSecond: number | undefined, outPerSecond: number | undefined, changesPerSecond: number | undefined,
 *   waitingBytes: number | undefined, version: string | undefined, ready: boolean | undefined, sync: any }} ReplicaFacts
 */

export class ClusterFacts {
  /** The last answer of the node. @type {any} */
  report;
  #reportAtMs = 0;
  /** @type {any} */
  #survey;
  #surveyAtMs = 0;
  #firstAskedAtMs;
  #sent = new RateMeters();
  #received = new RateMeters();
  #changes = new RateMeters();
  /** Highest `openForMs` seen of each link: one that falls is another link. */
  #links = new Map();

  constructor(nowMs) {
    this.#firstAskedAtMs = nowMs;
  }

  /** Takes an answer of `GET /api/cluster`. */
  reported(report, nowMs) {
    this.report = report;
    this.#reportAtMs = nowMs;
    const links = report.links.map((link) => ({ ...link, openedAt: this.#openedAt(link, nowMs) }));
    this.#links = new Map(links.map(({ replica, openedAt }) => [replica, openedAt]));
    this.#sent.add(
      nowMs,
      links.map(({ replica, bytesSent, openedAt }) => [replica, bytesSent, openedAt]),
    );
    this.#received.add(
      nowMs,
      links.map(({ replica, bytesReceived, openedAt }) => [replica, bytesReceived, openedAt]),
    );
    this.#changes.add(
      nowMs,
      report.replicas.map(({ replica, events }) => [replica, events, report.replica]),
    );
  }

  /** Takes an answer of `GET /api/cluster/peers`. */
  surveyed(survey, nowMs) {
    const peers = survey.peers.map((peer) => ({
      ...peer,
      sees: new Map(peer.outlook?.sees.map((sight) => [sight.replica, sight])),
    }));
    this.#survey = { ...survey, peers };
    this.#surveyAtMs = nowMs;
  }

  /** Since the node's last answer; since the page came, if there was none. */
  silentMs(nowMs) {
    return nowMs - (this.report === undefined ? this.#firstAskedAtMs : this.#reportAtMs);
  }

  isSilent(nowMs) {
    return this.silentMs(nowMs) > SILENCE_MS;
  }

  sentPerSecond(nowMs) {
    return this.#rateOf(this.#sent, nowMs);
  }

  receivedPerSecond(nowMs) {
    return this.#rateOf(this.#received, nowMs);
  }

  changesPerSecond(nowMs) {
    return this.#changes.totalPerSecond(nowMs);
  }

  /** Without a link nothing is carried, which is known. */
  #rateOf(meters, nowMs) {
    if (meters.size === 0 && this.report !== undefined && !this.isSilent(nowMs)) return 0;
    return meters.totalPerSecond(nowMs);
  }

  /** Entries that are shown to people: all but those that are hidden with a node that is down. */
  entries() {
    return this.report?.replicas
      .filter(({ status }) => status !== "down")
      .reduce((sum, { entries }) => sum + entries, 0);
  }

  /** Every life of every node: this node first, then what needs looking at, then by name. @returns {ReplicaFacts[]} */
  replicas(nowMs) {
    const { report } = this;
    if (report === undefined) return [];
    // Ages grow with time, but not on the word of a node that says nothing any more.
    const silent = this.isSilent(nowMs);
    const elapsedMs = silent ? 0 : nowMs - this.#reportAtMs;
    const outlooks = silent ? new Map() : this.#outlooks(nowMs);
    const links = new Map(report.links.map((link) => [link.replica, link]));
    const latest = new Map();
    for (const { node, replica } of report.replicas) {
      if (incarnationOf(replica) >= incarnationOf(latest.get(node) ?? "@0")) latest.set(node, replica);
    }
    return report.replicas
      .map((each) => {
        const { replica, node, status, linked, events, agreedAgoMs, agrees } = each;
        const here = replica === report.replica;
        const peer = outlooks.get(replica);
        const own = peer?.sees.get(replica);
        return {
          ...{ name: node, replica, here, status, linked, events },
          incarnation: replica.slice(replica.lastIndexOf("@") + 1),
          earlier: latest.get(node) !== replica,
          silent,
          entries: each.entries,
          behind: own === undefined ? undefined : Math.max(0, own.events - events),
          heardAgoMs: here ? undefined : each.heardAgoMs + elapsedMs,
          agrees: silent || here || !linked || typeof agrees !== "boolean" ? undefined : agrees,
          agreedAgoMs: here || agreedAgoMs === null ? undefined : agreedAgoMs + elapsedMs,
          roundTripMs: linked ? (peer?.roundTripMs ?? undefined) : undefined,
          inPerSecond: this.#received.perSecond(replica, nowMs),
          outPerSecond: this.#sent.perSecond(replica, nowMs),
          changesPerSecond: this.#changes.perSecond(replica, nowMs),
          waitingBytes: links.get(replica)?.bufferedBytes,
          version: here ? this.#survey?.version : peer?.outlook?.version,
          ready: here ? report.ready : peer?.outlook?.ready,
          sync: here ? report.sync : peer?.outlook?.sync,
        };
      })
      .sort(byConcern);
  }

  /** For the picture: nodes and links, those between others as they see them. */
  mesh(nowMs) {
    const silent = this.isSilent(nowMs);
    const { self, nodes, links } = clusterModel(this.report, silent, undefined);
    const measured = new Map(this.replicas(nowMs).map((replica) => [replica.name, replica]));
    const own = links.map((link) => {
      const { roundTripMs, inPerSecond, outPerSecond } =
        measured.get(link.a === self ? link.b : link.a) ?? {};
      return silent ? link : { ...link, own: true, roundTripMs, inPerSecond, outPerSecond };
    });
    return { self, nodes, links: silent ? own : [...own, ...this.#linksOfOthers(nodes, nowMs)] };
  }

  #linksOfOthers(nodes, nowMs) {
    const latest = new Map(
      this.replicas(nowMs).flatMap((each) => (each.earlier ? [] : [[each.name, each.replica]])),
    );
    const outlooks = this.#outlooks(nowMs);
    const sight = (of, about) => outlooks.get(latest.get(of))?.sees.get(latest.get(about));
    const others = nodes.filter(({ here }) => !here);
    const links = [];
    for (const [index, { name: a }] of others.entries()) {
      for (const { name: b } of others.slice(index + 1)) {
        const sights = [sight(a, b), sight(b, a)].filter((each) => each !== undefined);
        if (sights.length === 0) continue;
        const linked = sights.some((each) => each.linked);
        const heard = sights.every(({ status }) => status === "up");
        links.push({ a, b, status: linked ? "up" : heard ? "indirect" : "down", own: false });
      }
    }
    return links;
  }

  /** Those that are still worth something, by replica. */
  #outlooks(nowMs) {
    const elapsedMs = nowMs - this.#surveyAtMs;
    const peers = this.#survey?.peers ?? [];
    return new Map(
      peers
        .filter(({ askedAgoMs }) => askedAgoMs + elapsedMs < SURVEY_FRESH_MS)
        .map((peer) => [peer.replica, peer]),
    );
  }

  /** The same while it is the same link, whatever the clocks are worth. */
  #openedAt({ replica, openForMs }, nowMs) {
    const known = this.#links.get(replica);
    const openedAt = nowMs - openForMs;
    return known !== undefined && Math.abs(openedAt - known) < 1_500 ? known : openedAt;
  }
}

/** A number inside the id; larger for a later life. */
function incarnationOf(replica) {
  return Number(replica.slice(replica.lastIndexOf("@") + 1));
}

const CONCERNS = { down: 0, suspect: 1, leaving: 2, up: 4, self: 4 };

function byConcern(a, b) {
  return (
    rank(a) - rank(b) ||
    a.name.localeCompare(b.name, "en", { numeric: true }) ||
    (a.replica < b.replica ? -1 : 1)
  );
}

function rank({ here, earlier, status, linked }) {
  if (here) return -1;
  if (earlier) return 5;
  return status === "up" && !linked ? 3 : (CONCERNS[status] ?? 0);
}
