/** A fingerprint of everything that happened: equal for two runs only if they were the same, byte for byte. */
import type { Direction } from "./connection.ts";
import type { ClusterObserver } from "./observer.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** FNV-1a in two lanes, over every frame with its time and way, every notice, and every start, end and fault. */
export class Trace implements ClusterObserver {
  private readonly time: VirtualTime;
  private low = 0x811c9dc5 | 0;
  private high = 0x2f0b4c47 | 0;

  constructor(time: VirtualTime) {
    this.time = time;
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.high) + hex(this.low);
  }

  started({ id, host }: { id: string; host: string }): void {
    this.text(`start ${id} ${host}`);
  }

  ended({ id }: { id: string }, how: string): void {
    this.text(`end ${id} ${how}`);
  }

  fault(_kind: string, what: string): void {
    this.text(what);
  }

  notice({ id }: { id: string }, notice: { type: string; message: string }): void {
    this.text(`${id} ${notice.type} ${notice.message}`);
  }

  sent(direction: Direction, frame: Uint8Array): void {
    this.frame("sent", direction, frame);
  }

  delivering(direction: Direction, frame: Uint8Array): void {
    this.frame("delivered", direction, frame);
  }

  lost(direction: Direction, frame: Uint8Array): void {
    this.frame("lost", direction, frame);
  }

  private frame(what: string, { path }: Direction, frame: Uint8Array): void {
    this.text(what);
    this.text(path.from);
    this.text(path.to);
    for (let index = 0; index < frame.length; index++) this.mix(frame[index]!);
  }

  private text(text: string): void {
    this.number(this.time.now);
    for (let index = 0; index < text.length; index++) this.mix(text.charCodeAt(index));
  }

  private number(value: number): void {
    this.mix(Math.floor(value));
    this.mix(Math.floor((value % 1) * 0x1_0000_0000));
  }

  private mix(value: number): void {
    this.low = Math.imul(this.low ^ value, 0x01000193);
    this.high = Math.imul(this.high ^ value ^ (this.low >>> 15), 0x01000193);
  }
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}
