/** A client that speaks the protocol by hand: it sends what it is told, and keeps everything that comes. */
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";

export interface WireOptions {
  readonly protocols?: string[];
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of every shape.
export type Frame = any;

export class Wire {
  readonly socket: WebSocket;
  /** Every frame but pings. */
  readonly frames: Frame[] = [];
  readonly pings: Frame[] = [];
  closeCode: number | undefined;

  constructor(url: string, { protocols, query = {}, headers = {} }: WireOptions = {}) {
    const target = `${url}?${new URLSearchParams(query)}`;
    this.socket = new WebSocket(target, protocols ?? ["actioncable-v1-ext-json"], { headers });
    this.socket.on("message", (data) => {
      const frame = JSON.parse(String(data));
      (frame.type === "ping" ? this.pings : this.frames).push(frame);
    });
    this.socket.on("close", (code) => {
      this.closeCode = code;
    });
    this.socket.on("error", () => undefined);
  }

  /** Connects, and settles with the first frame. */
  static async open(url: string, options: WireOptions = {}): Promise<Wire> {
    const wire = new Wire(url, options);
    await wire.until(1);
    return wire;
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Waits until so many frames have come, and gives all. */
  until(count: number): Promise<Frame[]> {
    return eventually(
      () => {
        if (this.frames.length < count)
          throw new Error(`${this.frames.length}: ${JSON.stringify(this.frames)}`);
        return this.frames;
      },
      { what: `${count} frames` },
    );
  }

  /** Everything that was sent before has been dealt with. */
  async settled(): Promise<Frame[]> {
    const pongs = () => this.frames.filter(({ type }) => type === "pong").length;
    const before = pongs();
    this.send({ command: "ping" });
    await eventually(() => {
      if (pongs() === before) throw new Error("no pong");
    });
    return this.frames.filter(({ type }) => type !== "pong");
  }

  close(): void {
    this.socket.terminate();
  }
}
