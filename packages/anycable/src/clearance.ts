/** Asks the node's `access` before something is done for a client. Where there is none, nothing waits for an answer. */
import type { Identity, Permissions } from "presently/drop-in";
import type { PresenceRequest } from "./command.ts";
import { ForbiddenError } from "./errors.ts";
import type { LiveSubscription } from "./live-subscription.ts";
import type { MaybePromise } from "./settle.ts";

/** Whose client it is. */
export interface ClearedHost {
  readonly identity: Identity | undefined;
  /** Another one after each interruption: what was begun before it is not for its client any more. */
  readonly connection: object | undefined;
}

type Run = () => MaybePromise<void>;

/** Each of these does `run` if it is allowed. Throws, or rejects with, `ForbiddenError` if it is not. */
export class Clearance {
  readonly #permissions: Permissions | undefined;
  readonly #host: ClearedHost;

  constructor(permissions: Permissions | undefined, host: ClearedHost) {
    this.#permissions = permissions;
    this.#host = host;
  }

  /** @param late  called instead of `run` if the connection is gone when the answer is there */
  watch(subscription: LiveSubscription, run: Run, late: () => void): MaybePromise<void> {
    return this.#ask("watch all streams of the subscription", run, late, (permissions, identity) =>
      all(subscription.shownStreams, (stream) => permissions.watch(identity, stream)),
    );
  }

  perform(subscription: LiveSubscription, run: Run): MaybePromise<void> {
    return this.#ask("publish on all streams of the subscription", run, ignore, (permissions, identity) =>
      all(subscription.publishedStreams, (stream) => permissions.publish(identity, stream)),
    );
  }

  whisper(stream: string, run: Run): MaybePromise<void> {
    return this.#ask("publish on the stream", run, ignore, (permissions, identity) =>
      permissions.publish(identity, stream),
    );
  }

  join(stream: string, { id }: PresenceRequest, run: Run): MaybePromise<void> {
    return this.#ask("be present under this id", run, ignore, (permissions, identity) =>
      permissions.track(identity, stream, id),
    );
  }

  #ask(
    what: string,
    run: Run,
    late: () => void,
    ask: (permissions: Permissions, identity: Identity | undefined) => Promise<boolean>,
  ): MaybePromise<void> {
    if (this.#permissions === undefined) return run();
    const { connection, identity } = this.#host;
    return ask(this.#permissions, identity).then((isAllowed) => {
      if (this.#host.connection !== connection) return late();
      if (!isAllowed) throw new ForbiddenError(what);
      return run();
    });
  }
}

async function all(
  streams: Iterable<string>,
  isAllowed: (stream: string) => Promise<boolean>,
): Promise<boolean> {
  const answers = await Promise.all(Array.from(streams, isAllowed));
  return answers.every(Boolean);
}

function ignore(): void {}
