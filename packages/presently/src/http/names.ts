/** Topics and keys of a request: a node would only say that nobody is there; the caller should know that nobody can be. */
import { InvalidArgumentError } from "@presently/replica";
import type { ApiRequest } from "./route.ts";

/** How long names may be. */
export interface NameLimits {
  readonly topicBytesMax: number;
  readonly keyBytesMax: number;
}

/** @throws {InvalidArgumentError} for one that is empty or too long */
export function topicIn(params: ApiRequest["params"], { topicBytesMax }: NameLimits): string {
  return checkedName("topic", params.topic!, topicBytesMax);
}

/** @throws {InvalidArgumentError} for one that is empty or too long */
export function keyIn(params: ApiRequest["params"], { keyBytesMax }: NameLimits): string {
  return checkedName("key", params.key!, keyBytesMax);
}

/** @throws {InvalidArgumentError} for one that is empty or too long */
export function checkedName(what: string, name: string, bytesMax: number): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0) throw new InvalidArgumentError(what, "must not be empty");
  if (bytes > bytesMax)
    throw new InvalidArgumentError(what, `must have at most ${bytesMax} bytes, not ${bytes}`);
  return name;
}
