/** Messages that are larger than what a node broadcasts at once: cut here, put together there. */
import type { ReplicaId } from "presently";
import { checkInteger, checkString } from "presently/drop-in";

/** Code units of a part; at three bytes for each it stays below the 64 KiB that a node takes by default. */
export const PART_LENGTH = 16_000;

/** Cuts a text into parts, never between the two halves of a character. */
export function cut(text: string): string[] {
  checkString("text", text);
  const parts: string[] = [];
  for (let start = 0; start < text.length || parts.length === 0; ) {
    let end = Math.min(start + PART_LENGTH, text.length);
    if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end--;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}

interface Assembly {
  readonly id: number;
  readonly parts: string[];
  readonly count: number;
}

/** Puts parts together. A sender's parts come one after the other, so there is at most one message of each under way. */
export class Assemblies {
  private readonly bySender = new Map<ReplicaId, Assembly>();
  private readonly partsMax: number;

  /** Messages above `lengthMax` code units are not put together. */
  constructor(lengthMax: number) {
    checkInteger("lengthMax", lengthMax, 1);
    this.partsMax = Math.ceil(lengthMax / (PART_LENGTH - 1)) + 1;
  }

  /** Takes in a part; gives the whole text with the last one. A message of which a part is missing is dropped. */
  add(from: ReplicaId, id: number, index: number, count: number, part: string): string | undefined {
    if (index === 0 && count <= this.partsMax) this.bySender.set(from, { id, parts: [], count });
    const assembly = this.bySender.get(from);
    if (assembly === undefined || assembly.id !== id || assembly.parts.length !== index) {
      this.bySender.delete(from);
      return undefined;
    }
    assembly.parts.push(part);
    if (assembly.parts.length < assembly.count) return undefined;
    this.bySender.delete(from);
    return assembly.parts.join("");
  }

  /** Forgets what a sender that is gone has begun. */
  drop(from: ReplicaId): void {
    this.bySender.delete(from);
  }
}
