/** What a key space is configured with, and its defaults. */

import { InvalidArgumentError } from "presently";
import { checkOptions } from "presently/drop-in";

/** Durations in milliseconds, sizes in UTF-8 bytes. Every replica should be given the same. */
export interface KeyspaceOptions {
  /** Names this key space: replicas of one cluster that use the same name share it. Default `default`. */
  readonly name?: string;
  /** Keys at a time; default 100,000. */
  readonly keysMax?: number;
  /** Bytes of all keys, fields, members and values together, with 64 for each; default 64 MiB. */
  readonly bytesMax?: number;
  /** Length of a key; default 1,024. */
  readonly keyBytesMax?: number;
  /** Bytes of what one call writes: a value, a field and its value, all values of a push; default 1 MiB. Large ones travel in parts. */
  readonly valueBytesMax?: number;
  /** Elements of one list; default 10,000. */
  readonly listLengthMax?: number;
  /** How often replicas compare digests; default 1,000. */
  readonly antiEntropyIntervalMs?: number;
  /** Size of a message to a peer, to stay below the node's `broadcastBytesMax`; default 49,152. */
  readonly frameBytesTarget?: number;
  /** How long a call waits for the replica that owns its key; default 2,000. */
  readonly ownerWaitMs?: number;
  /** How long a gate (`gate`) waits for the replica that owns its key; default 400. */
  readonly gateWaitMs?: number;
  /** How long to wait until other replicas confirm what was written here; default 2,000. */
  readonly confirmTimeoutMs?: number;
  /** How long the events of a replica that is gone are remembered after the last of its entries; default one hour. */
  readonly forgetAfterMs?: number;
  /** How far another replica's clock may push our stamps ahead; default 60,000. */
  readonly clockSkewMaxMs?: number;
  /** Calls of other replicas whose results are remembered, so that one that is repeated is not done twice; default 10,000. */
  readonly answersMax?: number;
  /** Changes per replica that are kept for peers that missed a few; default 10,000. */
  readonly logSizeMax?: number;
}

/** `KeyspaceOptions` with every default filled in. */
export type KeyspaceSettings = Required<KeyspaceOptions>;

/** The defaults. */
export const KEYSPACE_DEFAULTS: KeyspaceSettings = {
  name: "default",
  keysMax: 100_000,
  bytesMax: 64 * 1_024 * 1_024,
  keyBytesMax: 1_024,
  valueBytesMax: 1_048_576,
  listLengthMax: 10_000,
  antiEntropyIntervalMs: 1_000,
  frameBytesTarget: 49_152,
  ownerWaitMs: 2_000,
  gateWaitMs: 400,
  confirmTimeoutMs: 2_000,
  forgetAfterMs: 3_600_000,
  clockSkewMaxMs: 60_000,
  answersMax: 10_000,
  logSizeMax: 10_000,
};

/**
 * Fills in the defaults.
 *
 * @throws {InvalidArgumentError} for an option that is unknown or no positive number
 */
export function resolveKeyspaceOptions(options: KeyspaceOptions = {}): KeyspaceSettings {
  checkOptions(options, KEYSPACE_DEFAULTS);
  const given = options as Readonly<Record<string, unknown>>;
  for (const [option, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (option === "name") {
      if (typeof value !== "string" || !/^[\w.:@-]{1,64}$/.test(value))
        throw new InvalidArgumentError("name", "must be 1 to 64 letters, digits, or one of _ . : @ -");
    } else if (!(typeof value === "number" && Number.isFinite(value) && value > 0)) {
      throw new InvalidArgumentError(option, "must be a positive number");
    }
  }
  const settings = { ...KEYSPACE_DEFAULTS };
  for (const [option, value] of Object.entries(given))
    if (value !== undefined) (settings as Record<string, unknown>)[option] = value;
  return settings;
}
