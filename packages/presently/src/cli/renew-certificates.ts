/** Certificates run out, and are renewed in place: the files are read again when they change. */
import { unwatchFile, watchFile } from "node:fs";
import type { Log } from "../logger.ts";
import type { PresentlyNode } from "../node.ts";
import type { TlsFiles } from "../transport.ts";

/** By looking, which also sees a file that is reached through links that were moved, as Kubernetes does. */
const LOOK_EVERY_MS = 1_000;

/**
 * Uses what the files hold for new links whenever one of them has changed; until the node stops. What cannot be used, for
 * it may be half-written, is logged, and the old certificate goes on.
 *
 * @param read reads the files again
 */
export function renewCertificates(
  node: PresentlyNode,
  files: readonly string[],
  read: () => TlsFiles | undefined,
  log: Log,
): void {
  const renew = () => {
    try {
      const tls = read();
      if (tls !== undefined) node.renewTls(tls);
    } catch (error) {
      log.error({ error }, "the new certificates cannot be used: the old ones go on");
    }
  };
  whenFilesChange(node, files, renew);
}

/** Calls `changed` whenever one of the files has, until the node stops. */
export function whenFilesChange(node: PresentlyNode, files: readonly string[], changed: () => void): void {
  for (const file of files) watchFile(file, { interval: LOOK_EVERY_MS, persistent: false }, changed);
  void node.whenStopping.then(() => {
    for (const file of files) unwatchFile(file, changed);
  });
}
