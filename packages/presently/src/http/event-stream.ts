/** One client that listens to a topic. */
import type { ServerResponse } from "node:http";
import { whenClosed } from "./when-closed.ts";

/** How long a client that was too slow has to take the last event before its connection is cut. */
const FAREWELL_MS = 5_000;

/** Bounds of one stream, and where it reports what it holds. */
export interface EventStreamOptions {
  /** Unsent bytes, besides the first state, above which the client is too slow. */
  readonly bufferBytesMax: number;
  /** Told whenever the number of unsent bytes was seen to change. */
  readonly onBufferedChange: (differenceBytes: number) => void;
  /** Told once, when the stream has ended, whoever ended it. Never during a write. */
  readonly onClose: () => void;
}

/** Server-sent events over one response, with a bounded buffer. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #options: EventStreamOptions;
  #bytesMax: number;
  #buffered = 0;
  #open = true;
  #farewell: NodeJS.Timeout | undefined;

  /** Sends the header fields. From here on an error can only be told by an event. */
  constructor(response: ServerResponse, options: EventStreamOptions) {
    this.#response = response;
    this.#options = options;
    this.#bytesMax = options.bufferBytesMax;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      // A proxy that buffers or compresses the stream would hold back events.
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
      // The connection has served its purpose when the stream ends: kept open, it would hold up the end of the server.
      connection: "close",
    });
    response.on("drain", () => {
      this.#bytesMax = options.bufferBytesMax;
      this.#measure();
    });
    whenClosed(response, () => {
      this.#open = false;
      clearTimeout(this.#farewell);
      options.onBufferedChange(-this.#buffered);
      this.#buffered = 0;
      options.onClose();
    });
  }

  /** Whether events still go out. */
  get open(): boolean {
    return this.#open;
  }

  /** Sends the first state. It may be larger than the buffer: a slow client still gets to see it. */
  begin(event: Uint8Array): void {
    this.#bytesMax += event.length;
    this.send(event);
  }

  /** Sends an encoded event. A client that falls too far behind gets a last event, `error`, and is closed. */
  send(event: Uint8Array): void {
    // Its time may be over before its client has read the end: see `Doorkeeper`.
    if (!this.#open || this.#response.destroyed || this.#response.writableEnded) return;
    this.#response.write(event);
    this.#measure();
    if (this.#buffered > this.#bytesMax) {
      this.end(
        errorEvent("TOO_SLOW", `more than ${this.#options.bufferBytesMax} bytes were waiting to be read`),
      );
      this.#farewell = setTimeout(() => this.#response.destroy(), FAREWELL_MS).unref();
    }
  }

  /** Ends the stream after what was sent, and after one last event if there is one. */
  end(lastEvent?: Uint8Array): void {
    if (!this.#open) return;
    this.#open = false;
    this.#response.end(lastEvent);
  }

  #measure(): void {
    const buffered = this.#response.writableLength;
    if (buffered === this.#buffered) return;
    this.#options.onBufferedChange(buffered - this.#buffered);
    this.#buffered = buffered;
  }
}

/** Encodes an event once; every stream can send the same bytes. `data` must hold no line feed, as JSON does not. */
export function encodeEvent(name: string, id: number, data: string): Uint8Array {
  return Buffer.from(`event: ${name}\nid: ${id}\ndata: ${data}\n\n`);
}

/** As `encodeEvent`, of what is no numbered change: the client goes on with the last id that it has. */
export function encodeMessage(data: string): Uint8Array {
  return Buffer.from(`event: message\ndata: ${data}\n\n`);
}

/** A comment: keeps proxies and clients from taking an idle stream for a dead one. */
export const heartbeatComment: Uint8Array = Buffer.from(":\n\n");

/** The last event of a stream: why it ends. */
export function errorEvent(code: string, message: string): Uint8Array {
  return Buffer.from(`event: error\ndata: ${JSON.stringify({ error: { code, message } })}\n\n`);
}
