/** Callbacks of an application may answer at once or later; what answers at once costs no promise. */
export type MaybePromise<T> = T | PromiseLike<T>;

export function isPromise<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** The value, or a rejection after `timeoutMs`. */
export async function inTime<T>(value: MaybePromise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`no answer within ${timeoutMs} ms (limit callbackTimeoutMs)`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
