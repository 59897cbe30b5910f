/** The two questions that the page asks. Escape, or the other button, is no to both. */
import { byId, setText } from "../dom.js";

/**
 * Asks before something is done. Gives undefined for no, and otherwise whether the box is ticked.
 *
 * @param {{ title: string, text: string, go: string, choice?: string }} question  `choice` is what the box says; it is
 *   ticked at first
 * @returns {Promise<{ chosen: boolean } | undefined>}
 */
export async function confirm({ title, text, go, choice }) {
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(byId("confirm-go"), go);
  byId("confirm-choice").hidden = choice === undefined;
  setText(byId("confirm-check-text"), choice ?? "");
  byId("confirm-check").checked = true;
  const yes = await ask("confirm");
  return yes ? { chosen: byId("confirm-check").checked } : undefined;
}

/** Asks for a token, saying why. Gives undefined for "not now". @returns {Promise<string | undefined>} */
export async function askToken(text) {
  setText(byId("token-text"), text);
  const input = byId("token-value");
  const yes = await ask("token");
  const token = input.value.trim();
  // It shall not stay in the page where somebody else could read it.
  input.value = "";
  return yes && token !== "" ? token : undefined;
}

/** Whether one of them is open. */
export function isAsking() {
  return document.querySelector("dialog[open]") !== null;
}

/** Opens a dialog; settles with whether its form was sent. */
function ask(name) {
  const dialog = byId(name);
  const form = byId(`${name}-form`);
  const cancel = byId(`${name}-cancel`);
  const controller = new AbortController();
  const { signal } = controller;
  return new Promise((resolve) => {
    let yes = false;
    dialog.addEventListener(
      "close",
      () => {
        controller.abort();
        resolve(yes);
      },
      { signal },
    );
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        yes = true;
        dialog.close();
      },
      { signal },
    );
    cancel.addEventListener("click", () => dialog.close(), { signal });
    dialog.showModal();
    // What is done cannot be undone, so that a key pressed too often must not do it.
    if (name === "confirm") cancel.focus();
  });
}
