/** The drop-in for phoenix.js is a package of its own, which this one finds if it is there and does without if not. */
import { createRequire } from "node:module";

/** Whether `presently start --phoenix` would find the package. */
export function phoenixIsInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve("@presently/phoenix");
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    return false;
  }
}
