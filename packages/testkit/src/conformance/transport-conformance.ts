/** One suite for all transports, that any test runner can run. */
import { AUTHENTICATION_CASES, CASES, type Examination, OVERSIZE_CASES } from "./cases.ts";
import type { ConformanceOptions } from "./network.ts";
import { Party } from "./party.ts";

/** One promise of a transport, as a test that any runner can run. */
export interface ConformanceCase {
  /** What must be so. */
  readonly name: string;
  /** Rejects with an `InvariantError` that says what is not. */
  run(): Promise<void>;
}

/**
 * What a transport must do for a replica, one case each: hand them to the `test` of your runner.
 *
 * Ordering, nothing twice, bounded frames and queues, peers that come, go and return, back-pressure that its owner sees,
 * strangers kept out. Each case makes a network of its own, and closes it.
 */
export function transportConformance(options: ConformanceOptions): ConformanceCase[] {
  const cases: Record<string, Examination> = {
    ...CASES,
    ...((options.refusesLargerFrames ?? true) ? OVERSIZE_CASES : {}),
    ...((options.authenticates ?? true) ? AUTHENTICATION_CASES : {}),
  };
  return Object.entries(cases).map(([name, examine]) => ({ name, run: () => run(options, examine) }));
}

async function run(options: ConformanceOptions, examine: Examination): Promise<void> {
  const party = new Party(await options.createNetwork(), options);
  try {
    await examine(party);
  } catch (error) {
    // What went wrong first is what matters.
    await party.end().catch(() => undefined);
    throw error;
  }
  await party.end();
}
