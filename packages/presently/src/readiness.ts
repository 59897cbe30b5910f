/** Whether a starting node may be counted on yet. */
import type { SyncProgress } from "@presently/replica";

/** What a node knows of its start. */
export interface StartProgress {
  /** Addresses that the node was told to dial, its own left out. */
  readonly peersConfigured: number;
  /** Links that are up. */
  readonly links: number;
  /** Whether everything that the linked peers know is here. */
  readonly synced: boolean;
  /** How far the state is that one of them is giving. */
  readonly progress?: SyncProgress | undefined;
  /** Since the start, or since a link was lost before it had caught up on it: then the wait begins anew. */
  readonly waitedForMs: number;
  /** How long configured peers that do not answer are waited for. */
  readonly graceMs: number;
}

/**
 * Why a starting node is not ready, for people; undefined if it is.
 *
 * It is once it has caught up with every peer that it can reach. Which peers it can reach shows only with time: a peer
 * that has not answered when the grace is over counts as unreachable, or else the first node of a cluster would never
 * be ready.
 */
export function notReadyReason(progress: StartProgress): string | undefined {
  const { peersConfigured, links, synced, waitedForMs, graceMs } = progress;
  if (!synced) return `catching up with ${links === 1 ? "1 peer" : `${links} peers`}${howFar(progress)}`;
  if (links < peersConfigured && waitedForMs < graceMs) {
    return `linked with ${links} of ${peersConfigured} configured peers, waiting for the others`;
  }
  return undefined;
}

function howFar({ progress }: StartProgress): string {
  if (progress === undefined) return "";
  return `: ${progress.entriesReceived} of ${progress.entriesExpected} entries have come`;
}
