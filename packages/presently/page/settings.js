/** The name and the room: from the address, else as they were last time in this browser. */

const PREFIX = "presently.";
/** Topics of this page's rooms start with it, so that rooms are told from an application's own topics. */
export const ROOM_PREFIX = "room:";

/** `autoJoin` when the address names both, or when this tab was in a room before it was loaded again. */
export function readSettings() {
  const query = new URLSearchParams(location.search);
  const [name, room] = [query.get("name"), query.get("room")];
  return {
    name: tidy(name ?? recall(localStorage, "name") ?? ""),
    room: tidy(room ?? recall(localStorage, "room") ?? "lobby"),
    autoJoin: (name !== null && room !== null) || recall(sessionStorage, "joined") === "yes",
  };
}

/** Remembers them for the next time, and that this tab is in the room; the address becomes one to invite others with. */
export function rememberJoined({ name, room }) {
  remember(localStorage, "name", name);
  remember(localStorage, "room", room);
  remember(sessionStorage, "joined", "yes");
  if (!new URLSearchParams(location.search).has("name")) {
    history.replaceState(null, "", `?${new URLSearchParams({ room })}`);
  }
}

/** The address forgets them too, else loading the page again would join again. */
export function rememberLeft() {
  remember(sessionStorage, "joined", "no");
  history.replaceState(null, "", location.pathname);
}

/** The one form in which a name or room is sent: composed, without spaces around it or halves of characters. */
export function tidy(text) {
  const whole = typeof text.toWellFormed === "function" ? text.toWellFormed() : text;
  return whole.normalize("NFC").trim();
}

function recall(storage, name) {
  try {
    return storage.getItem(PREFIX + name);
  } catch {
    // Storage may be forbidden, and then nothing is remembered.
    return null;
  }
}

function remember(storage, name, value) {
  try {
    storage.setItem(PREFIX + name, value);
  } catch {
    // As above, or it is full: the page works as well, and asks again next time.
  }
}
