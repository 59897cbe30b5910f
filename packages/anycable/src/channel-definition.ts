/** What an application says about a channel: a name that clients subscribe to, with parameters. */
import type { MaybePromise } from "./settle.ts";
import type { Subscription } from "./subscription.ts";

/** Every callback may be asynchronous; those of one connection run one after the other, in the order of its commands. */
export interface ChannelDefinition<Identifiers = unknown> {
  /**
   * Lets the client in, and says what it hears: `subscription.streamFrom(…)`. `false`, or throwing, rejects it. What is
   * sent or joined here reaches the client after the confirmation. Default: everybody may subscribe, and hears nothing.
   */
  readonly subscribe?: (
    subscription: Subscription<Identifiers>,
    // biome-ignore lint/suspicious/noConfusingVoidType: a callback without a return statement is one that does not reject.
  ) => MaybePromise<false | undefined | void>;
  /** By the name in `action`; what comes without one is called `receive`. Clients get no answer but what is transmitted. */
  readonly actions?: Readonly<
    Record<
      string,
      (
        data: Readonly<Record<string, unknown>>,
        subscription: Subscription<Identifiers>,
      ) => MaybePromise<unknown>
    >
  >;
  /**
   * The streams on which its actions say something, so that a client must be allowed to publish there (by the node's
   * `access`). Default: all that the subscription hears.
   */
  readonly publishesTo?: (subscription: Subscription<Identifiers>) => readonly string[];
  /** Called once, when the client has unsubscribed, or its session can no longer be resumed. */
  readonly unsubscribe?: (subscription: Subscription<Identifiers>) => MaybePromise<unknown>;
}
