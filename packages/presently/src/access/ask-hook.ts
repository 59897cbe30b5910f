/** Asks a hook of the application, which may throw, may never answer, and must not take the caller with it. */

/** What came of it. `error` is what was thrown; undefined when it took too long. */
export type HookAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: "failed" | "timeout"; readonly error: unknown };

/**
 * Settles with what the hook answers, at the latest after `timeoutMs`; never rejects. What it still answers, or throws,
 * after that is dropped.
 */
export async function askHook<T>(
  hook: () => T | PromiseLike<T>,
  timeoutMs: number,
): Promise<HookAnswer<Awaited<T>>> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = hook();
    // Most hooks look at what they have in memory: those cost no timer.
    if (!isThenable(answer)) return { ok: true, value: answer as Awaited<T> };
    const late = new Promise<HookAnswer<never>>((resolve) => {
      timer = setTimeout(() => resolve({ ok: false, why: "timeout", error: undefined }), timeoutMs);
    });
    const settled = Promise.resolve(answer).then(
      (value): HookAnswer<Awaited<T>> => ({ ok: true, value }),
      (error: unknown): HookAnswer<never> => ({ ok: false, why: "failed", error }),
    );
    return await Promise.race([settled, late]);
  } catch (error) {
    return { ok: false, why: "failed", error };
  } finally {
    clearTimeout(timer);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
