/**
 * Keeps an extension of the server the last one. What it lets pass is then what Faye gets: an extension that was added
 * later, to check a token for example, cannot refuse a message that ours has dealt with already.
 */
import type { FayeExtension, FayeServer } from "./faye.ts";

/** Adds the extension, and returns what removes it. */
export function addLast(server: FayeServer, extension: FayeExtension): () => void {
  const addExtension = server.addExtension;
  let active = true;
  const addBefore: FayeServer["addExtension"] = (other) => {
    if (active) server.removeExtension(extension);
    addExtension.call(server, other);
    if (active) addExtension.call(server, extension);
  };
  const wasOwn = Object.hasOwn(server, "addExtension");
  server.addExtension = addBefore;
  addExtension.call(server, extension);
  return () => {
    active = false;
    server.removeExtension(extension);
    // Somebody may have put another function in its place since; then ours stays below it, and only passes on.
    if (server.addExtension !== addBefore) return;
    if (wasOwn) server.addExtension = addExtension;
    else Reflect.deleteProperty(server, "addExtension");
  };
}
