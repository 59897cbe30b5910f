/** Whether somebody is at the device, as far as a page can tell. */

import type { Unsubscribe } from "./emitter.ts";
import { ClientError } from "./errors.ts";

/** Where signs of life come from: a page, or whatever a program has in its place. */
export interface ActivitySource {
  /** Whether nobody can see it now: another tab is in front, or the screen is locked. */
  readonly hidden: boolean;
  /** Tells of every sign of life, and when `hidden` changes, until it is ended. */
  listen(listeners: { readonly activity: () => void; readonly visibility: () => void }): Unsubscribe;
}

const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart", "scroll"] as const;

/** What a page hears. @throws {ClientError} `NO_ACTIVITY_SOURCE` where there is no page */
export function pageActivity(): ActivitySource {
  if (typeof document === "undefined" || typeof window === "undefined")
    throw new ClientError(
      "NO_ACTIVITY_SOURCE",
      "there is no page here that could be hidden or idle: give the option activity",
    );
  const page = document;
  const view = window;
  return {
    get hidden() {
      return page.visibilityState === "hidden";
    },
    listen({ activity, visibility }) {
      const options = { passive: true, capture: true };
      for (const sign of SIGNS) view.addEventListener(sign, activity, options);
      view.addEventListener("focus", activity);
      page.addEventListener("visibilitychange", visibility);
      return () => {
        for (const sign of SIGNS) view.removeEventListener(sign, activity, options);
        view.removeEventListener("focus", activity);
        page.removeEventListener("visibilitychange", visibility);
      };
    },
  };
}
