/** Callbacks of an application may answer at once or later; what answers at once costs no promise. */
export type MaybePromise<T> = T | PromiseLike<T>;

/**
 * Runs `call` and hands its result to `done`, or what it threw to `failed`: now, or when its promise settles.
 * Gives a promise only if `call` did; what `done` and `failed` throw is the caller's.
 */
export function settle<T>(
  call: () => MaybePromise<T>,
  done: (value: T) => void,
  failed: (error: unknown) => void,
): undefined | Promise<void> {
  let result: MaybePromise<T>;
  try {
    result = call();
  } catch (error) {
    failed(error);
    return undefined;
  }
  if (isPromise(result)) return Promise.resolve(result).then(done, failed);
  done(result);
  return undefined;
}

export function isPromise<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
