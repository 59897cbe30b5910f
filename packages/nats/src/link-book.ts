/**
 * Links over a medium that knows none: NATS delivers what is published, in order, to whoever is there, and says nothing of
 * who came, went or missed something. A link here is two ends that know each other's random names; each side numbers its
 * frames, and one that is missing, or a stranger's, ends the link. So whatever is lost, on the way or with a connection, is
 * noticed at the next frame, and both sides begin anew: in order and at most once while a link is up, and nothing promised
 * across links, is all that a replica asks.
 *
 * Pure: messages come in, messages and events go out; names are handed in.
 */
import type { ReplicaId } from "presently";
import type { Close, Direct, Hello, Open, Published } from "./envelope.ts";

/** What the book wants done; none may call back into it. */
export interface LinkBookPort {
  /** A name that nobody has. */
  readonly newName: () => string;
  /** Sends to one node. */
  readonly post: (to: ReplicaId, message: Open | Direct | Close | Hello) => void;
  /** Sends to everybody. */
  readonly publish: (message: Published | Hello | Close) => void;
  readonly up: (peer: ReplicaId) => void;
  readonly down: (peer: ReplicaId, reason: string) => void;
  readonly frame: (peer: ReplicaId, frame: Uint8Array) => void;
  /** Another process uses our replica id, or has used it. */
  readonly idTaken: () => void;
  /** A peer found no room. */
  readonly full: (peer: ReplicaId) => void;
}

/** One link, seen from our side. */
export interface LinkEnd {
  readonly peer: ReplicaId;
  /** The connection of the peer with NATS. */
  readonly session: string;
  readonly ours: string;
  /** The peer's end; undefined until it has told us. */
  theirs: string | undefined;
  sent: number;
  received: number;
  /** The last frame for everybody that came from the peer. */
  published: number;
  bytesSent: number;
  bytesReceived: number;
  framesSent: number;
  framesReceived: number;
}

const COUNT_MAX = 0xffff_ffff;
/** Ends of strangers that are told once, between two greetings, that we know of no such link. */
const STRANGERS_MAX = 256;

export class LinkBook {
  private self: ReplicaId;
  /** The names of all our sessions begin with it. */
  private readonly prefix: string;
  private session: string;
  private published = 0;
  private readonly links = new Map<ReplicaId, LinkEnd>();
  private readonly byEnd = new Map<string, LinkEnd>();
  private readonly bySession = new Map<string, LinkEnd>();
  private readonly strangers = new Set<string>();
  private readonly linksMax: number;
  private readonly port: LinkBookPort;

  constructor(self: ReplicaId, linksMax: number, port: LinkBookPort) {
    this.self = self;
    this.linksMax = linksMax;
    this.port = port;
    const name = port.newName();
    this.prefix = name.slice(0, name.length / 2);
    this.session = this.newSession();
  }

  /** The link with a peer, if both ends are known. */
  get(peer: ReplicaId): LinkEnd | undefined {
    const link = this.links.get(peer);
    return link?.theirs === undefined ? undefined : link;
  }

  /** The links that are up. */
  *all(): Iterable<LinkEnd> {
    for (const link of this.links.values()) if (link.theirs !== undefined) yield link;
  }

  /** Says to everybody that we are here. */
  greet(): void {
    this.strangers.clear();
    this.port.publish({ type: "hello", session: this.session, asks: false, replica: this.self });
  }

  /** Says to one node that we are here; it answers if it is. */
  greetOne(peer: ReplicaId): void {
    this.port.post(peer, { type: "hello", session: this.session, asks: true, replica: this.self });
  }

  /** Frames may have been lost, or we go by another id: every link ends, and we are somebody new. */
  restart(reason: string, self: ReplicaId = this.self): void {
    for (const link of [...this.links.values()]) this.end(link, reason);
    this.self = self;
    this.session = this.newSession();
    this.published = 0;
    this.greet();
  }

  /** Ends the link with a peer, and tells it why. */
  close(peer: ReplicaId, reason: string): void {
    const link = this.links.get(peer);
    if (link === undefined) return;
    const { ours: of, theirs: end } = link;
    if (end !== undefined) this.port.post(peer, { type: "close", end, of, reason });
    this.end(link, reason);
  }

  /** A peer cannot be heard any more. */
  lose(peer: ReplicaId, reason: string): void {
    const link = this.links.get(peer);
    if (link !== undefined) this.end(link, reason);
  }

  /** Sends a frame to one peer; nothing without a link. */
  send(peer: ReplicaId, frame: Uint8Array): void {
    const link = this.get(peer);
    if (link?.theirs === undefined) return;
    count(link, frame);
    const { ours: from, theirs: end } = link;
    this.port.post(peer, { type: "direct", end, from, number: this.next(link), frame });
  }

  /** Sends a frame to everybody at once. */
  sendToAll(frame: Uint8Array): void {
    this.published = this.published === COUNT_MAX ? 1 : this.published + 1;
    for (const link of this.all()) count(link, frame);
    this.port.publish({ type: "published", session: this.session, number: this.published, frame });
  }

  private newSession(): string {
    return this.prefix + this.port.newName().slice(this.prefix.length);
  }

  /** Whether we said this ourselves, perhaps long ago: a server that stood still delivers what it had then. */
  private isOurs(session: string): boolean {
    return session.startsWith(this.prefix);
  }

  /** Somebody is here. */
  heard({ session, asks, replica }: Hello): void {
    const peer = replica as ReplicaId;
    if (this.isOurs(session)) return;
    if (peer === this.self) {
      this.port.idTaken();
      return;
    }
    const link = this.ours(peer, session);
    if (link !== undefined && (asks || link.theirs === undefined)) this.open(link, "");
  }

  /**
   * A peer tells us its end. Ends are named once, when a link is begun, and never again in answer to another one: an answer
   * to a name that is not ours any more is our name, an answer to a question is both, and an answer to both is none. So the
   * exchange ends, whatever was lost before.
   */
  opened({ session, end, knows, published, replica }: Open): void {
    const peer = replica as ReplicaId;
    if (peer === this.self || this.isOurs(session)) return;
    const link = this.ours(peer, session);
    if (link === undefined) return;
    if (knows !== "" && knows !== link.ours) {
      this.open(link, "");
      return;
    }
    const isNews = link.theirs !== end;
    if (isNews) this.begin(link, end, published);
    if (knows === "") this.open(link, end);
    if (isNews) this.port.up(peer);
  }

  receiveDirect({ end, from, number, frame }: Direct): void {
    const link = this.byEnd.get(end);
    if (link?.theirs === undefined) {
      this.disown(from, end);
      return;
    }
    if (number !== following(link.received)) {
      this.renew(link, `frame ${following(link.received)} is missing`);
      return;
    }
    link.received = number;
    this.deliver(link, frame);
  }

  receivePublished({ session, number, frame }: Published): void {
    const link = this.bySession.get(session);
    if (link?.theirs === undefined) return;
    // What it published before it opened its end may come behind that, by another way through a cluster of servers.
    if (number !== following(link.published)) {
      this.renew(link, `published frame ${following(link.published)} is missing`);
      return;
    }
    link.published = number;
    this.deliver(link, frame);
  }

  closed({ end, of, reason }: Close): void {
    const link = this.byEnd.get(end);
    // What was said of an earlier end of the peer does not concern this one.
    if (link?.theirs === of) this.end(link, `closed by the peer: ${reason}`);
  }

  /** Somebody believes in a link with us that is no more: it missed its end. */
  private disown(end: string, of: string): void {
    if (this.strangers.has(of) || this.strangers.size >= STRANGERS_MAX) return;
    this.strangers.add(of);
    this.port.publish({ type: "close", end, of, reason: "the link is not known here" });
  }

  private deliver(link: LinkEnd, frame: Uint8Array): void {
    link.framesReceived++;
    link.bytesReceived += frame.length;
    this.port.frame(link.peer, frame);
  }

  /** Ends a link that has lost something, and opens it anew. */
  private renew(link: LinkEnd, reason: string): void {
    this.close(link.peer, reason);
    this.greetOne(link.peer);
  }

  /** The link with the peer's end: all numbers start again. */
  private begin(link: LinkEnd, end: string, published: number): void {
    if (link.theirs !== undefined) this.port.down(link.peer, "the peer has opened the link anew");
    link.theirs = end;
    link.published = published;
    link.sent = 0;
    link.received = 0;
  }

  /** Our end of the link with a peer's session; made if there is none. A link with an earlier session of it is over. */
  private ours(peer: ReplicaId, session: string): LinkEnd | undefined {
    const known = this.links.get(peer);
    if (known?.session === session) return known;
    if (known !== undefined) this.end(known, "the peer has connected anew");
    if (this.links.size >= this.linksMax) {
      this.port.full(peer);
      return undefined;
    }
    const link: LinkEnd = {
      peer,
      session,
      ours: this.port.newName(),
      theirs: undefined,
      sent: 0,
      received: 0,
      published: 0,
      bytesSent: 0,
      bytesReceived: 0,
      framesSent: 0,
      framesReceived: 0,
    };
    this.links.set(peer, link);
    this.byEnd.set(link.ours, link);
    this.bySession.set(session, link);
    return link;
  }

  private open({ peer, ours }: LinkEnd, knows: string): void {
    const { session, published, self } = this;
    this.port.post(peer, { type: "open", session, end: ours, knows, published, replica: self });
  }

  private end(link: LinkEnd, reason: string): void {
    this.links.delete(link.peer);
    this.byEnd.delete(link.ours);
    this.bySession.delete(link.session);
    if (link.theirs !== undefined) this.port.down(link.peer, reason);
  }

  private next(link: LinkEnd): number {
    link.sent = following(link.sent);
    return link.sent;
  }
}

function following(number: number): number {
  return number === COUNT_MAX ? 1 : number + 1;
}

function count(link: LinkEnd, frame: Uint8Array): void {
  link.framesSent++;
  link.bytesSent += frame.length;
}
