/** What each message of a peer does here. */
import { incarnationOf, nameOf } from "@presently/crdt";
import type { Content } from "./content.ts";
import type { Goodbyes } from "./goodbyes.ts";
import type { Life } from "./life.ts";
import type { Membership } from "./membership.ts";
import type { HeartbeatMessage, Message } from "./messages.ts";
import type { Messenger } from "./messaging/messenger.ts";
import type { Millis, Outbox } from "./outbox.ts";
import type { Peer } from "./peer.ts";
import type { Sync } from "./sync.ts";

/** What counts though nobody knows its sender at the moment: it is said once on a link, or proves life. */
const ALWAYS_HEARD: ReadonlySet<Message["type"]> = new Set(["heartbeat", "interest", "interest-ack"]);

export class Inbox {
  private readonly content: Content;
  private readonly membership: Membership;
  private readonly sync: Sync;
  private readonly goodbyes: Goodbyes;
  private readonly messenger: Messenger;
  private readonly life: Life;
  private readonly outbox: Outbox;

  constructor(
    content: Content,
    membership: Membership,
    sync: Sync,
    goodbyes: Goodbyes,
    messenger: Messenger,
    life: Life,
    outbox: Outbox,
  ) {
    this.content = content;
    this.membership = membership;
    this.sync = sync;
    this.goodbyes = goodbyes;
    this.messenger = messenger;
    this.life = life;
    this.outbox = outbox;
  }

  /** @throws {ProtocolError} if the message breaks the protocol */
  receive(peer: Peer, message: Message, now: Millis): void {
    if (!ALWAYS_HEARD.has(message.type) && !this.membership.knows(peer.id)) return;
    switch (message.type) {
      case "delta":
        this.sync.apply(peer, message, now);
        break;
      case "heartbeat":
        this.hear(peer, message, now);
        break;
      case "pull":
        this.sync.serve(peer, message);
        break;
      case "sync":
        this.sync.receive(peer, message, now);
        break;
      case "probe":
        this.outbox.send([peer.id], this.membership.probed(message.replica, peer.id, now));
        break;
      case "probe-ack":
        this.membership.answered(message, peer.id, now);
        break;
      case "leave":
        this.goodbyes.hear(peer, message, now);
        break;
      case "linger":
        this.content.linger(peer.id, message.numbers);
        break;
      case "incarnation":
        if (message.newest > this.life.incarnation) this.life.hearOf(message.newest);
        break;
      case "namesake":
        // Only between processes of one name, and those are no peers.
        break;
      case "interest":
        this.messenger.interest(peer.id, message);
        break;
      case "interest-ack":
        this.messenger.interestKnown(peer.id, message, now);
        break;
      case "broadcast":
      case "message":
      case "request":
      case "reply":
      case "reach":
      case "reaches":
      case "relay":
      case "relayed":
      case "part":
      case "part-ack":
        this.messenger.receive(peer.id, message);
        break;
    }
  }

  private hear(peer: Peer, message: HeartbeatMessage, now: Millis): void {
    // A newer life of its name was here while this link was open, and may be gone already: then nobody else tells it.
    if (incarnationOf(peer.id) < this.membership.newestOf(nameOf(peer.id))) {
      this.life.turnAway(peer.id);
      return;
    }
    const finding = this.sync.compare(peer, message, now);
    // Another process, or an earlier life of ours, has made events under our very id.
    if (finding === "knows-more-of-us") this.life.hearOf(this.life.incarnation);
    if (finding !== "same") this.goodbyes.tellWhoMissedThem(peer);
  }
}
