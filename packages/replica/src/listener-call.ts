/** Calls of listeners: they are the application's code, and what they throw or reject with must stop nobody else. */

/** Reports what a promise rejects with that a listener returned, though none was asked for. */
export function reportRejection(returned: unknown, failed: (error: unknown) => void): void {
  if (returned === undefined || returned === null) return;
  const { then } = returned as PromiseLike<unknown>;
  if (typeof then === "function") then.call(returned, undefined, failed);
}

/** Calls a listener, and reports what it throws or its promise rejects with. */
export function callListener<Told>(
  listener: (told: Told) => unknown,
  told: Told,
  failed: (error: unknown) => void,
): void {
  try {
    reportRejection(listener(told), failed);
  } catch (error) {
    failed(error);
  }
}
