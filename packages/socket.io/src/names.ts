/** What the lists and channels of one namespace are called in the cluster. */
import { createHash } from "node:crypto";
import { SOCKETIO_TOPICS } from "presently/drop-in";

/** Topics and channels of a node have at most so many bytes unless it is told otherwise. */
const NAME_BYTES_MAX = 255;

/** A room as a text that keeps 123 and "123" apart; undefined for what no other server can have as a room. */
export function roomText(room: unknown): string | undefined {
  return typeof room === "string" || (typeof room === "number" && Number.isFinite(room))
    ? JSON.stringify(room)
    : undefined;
}

/** The names that belong to one namespace of the servers that share a key. */
export class Names {
  /** Where servers talk. */
  readonly channel: string;
  /** Which servers run the namespace: their nodes are the keys. */
  readonly servers: string;
  /** All sockets. */
  readonly sockets: string;
  /** What the topics of all rooms begin with. */
  readonly #rooms: string;
  readonly #parts: readonly [string, string];

  constructor(key: string, namespace: string) {
    this.#parts = [key, namespace];
    this.channel = this.#name("channel");
    this.servers = this.#name("servers");
    this.sockets = this.#name("sockets");
    this.#rooms = `${this.#name("rooms")}:`;
  }

  /** The topic whose keys are the ids of the sockets in a room. */
  roomTopic(text: string): string {
    const topic = this.#rooms + text;
    return topic.isWellFormed() && Buffer.byteLength(topic) <= NAME_BYTES_MAX
      ? topic
      : `${this.#rooms}#${digest(text)}`;
  }

  /** Whether a room topic does not say its room, which is in the metas then. */
  isShortened(topic: string): boolean {
    return topic[this.#rooms.length] === "#";
  }

  /** The text of the room of a topic that is not shortened; undefined for another topic. */
  roomOf(topic: string): string | undefined {
    return topic.startsWith(this.#rooms) ? topic.slice(this.#rooms.length) : undefined;
  }

  #name(kind: string): string {
    const whole = SOCKETIO_TOPICS + [kind, ...this.#parts.map(escapeColons)].join(":");
    // Half of it is left for rooms.
    return whole.isWellFormed() && Buffer.byteLength(whole) <= NAME_BYTES_MAX / 2
      ? whole
      : `${SOCKETIO_TOPICS}${kind}:#${digest(JSON.stringify(this.#parts))}`;
  }
}

function escapeColons(part: string): string {
  return part.replaceAll("%", "%25").replaceAll(":", "%3A").replaceAll("#", "%23");
}

function digest(text: string): string {
  // The escapes of JSON keep texts apart that are no valid UTF-16.
  return createHash("sha256").update(JSON.stringify(text)).digest("base64url");
}
