/** API tokens are given out and taken back while the node runs: their file is read again when it changes. */
import type { ReadyAccess } from "../access/create-access.ts";
import type { Log } from "../logger.ts";
import type { PresentlyNode } from "../node.ts";
import { readTokens } from "./access-flags.ts";
import { whenFilesChange } from "./renew-certificates.ts";

/**
 * Uses the API tokens of the file from now on whenever it changes, until the node stops. What cannot be used, for it may be
 * half-written, is logged, and the old tokens go on.
 */
export function renewTokens(node: PresentlyNode, access: ReadyAccess, file: string, log: Log): void {
  whenFilesChange(node, [file], () => {
    try {
      access.renewTokens(readTokens(file));
      log.info({}, "the API tokens were read again");
    } catch (error) {
      log.error({ error }, "the new API tokens cannot be used: the old ones go on");
    }
  });
}
