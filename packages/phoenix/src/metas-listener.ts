/** Tells the application's `handleMetas` of diffs, with a state that it carries from one to the next. */
import { ConfigurationError } from "presently";
import { freezeJson, Mailbox } from "presently/drop-in";
import type { PresenceDefinition } from "./channel-definition.ts";
import type { NoticeListener } from "./notice.ts";
import type { PresenceDiff, PresenceMeta } from "./presence-map.ts";
import { settle } from "./settle.ts";

export class MetasListener {
  readonly #handle: NonNullable<PresenceDefinition["handleMetas"]>;
  readonly #notice: NoticeListener;
  /** One at a time, whichever topic it is about: each call gets the state that the last one returned. */
  readonly #mailbox = new Mailbox();
  #state: unknown;

  /** Undefined if there is no `handleMetas`. @throws {ConfigurationError} if it has no `init` */
  static of<Assigns>(
    presence: PresenceDefinition<Assigns> | false | undefined,
    notice: NoticeListener,
  ): MetasListener | undefined {
    if (!presence || presence.handleMetas === undefined) return undefined;
    if (presence.init === undefined)
      throw new ConfigurationError("handleMetas needs a state: give init as well, () => ({}) for example");
    return new MetasListener(presence.handleMetas, presence.init(), notice);
  }

  private constructor(
    handle: NonNullable<PresenceDefinition["handleMetas"]>,
    state: unknown,
    notice: NoticeListener,
  ) {
    this.#handle = handle;
    this.#state = state;
    this.#notice = notice;
  }

  /** Settles when the application is done with this diff; at once if it is done already. */
  changed(topic: string, diff: PresenceDiff, presences: MetasByKey): undefined | Promise<void> {
    let finished = false;
    let finish = () => {
      finished = true;
    };
    this.#mailbox.post(() => {
      const later = settle(
        () => this.#handle(topic, diff, presences.snapshot(), this.#state),
        (state) => {
          this.#state = state;
        },
        (error) => this.#failed(topic, error),
      );
      if (later !== undefined) return later.then(() => finish());
      finish();
      return undefined;
    });
    if (finished) return undefined;
    return new Promise((resolve) => {
      finish = resolve;
    });
  }

  #failed(topic: string, error: unknown): void {
    const message = `handleMetas failed for topic ${JSON.stringify(topic)}: its state is as before`;
    this.#notice({ type: "callback-failed", level: "error", message, callback: "handleMetas", topic, error });
  }
}

/** Everybody who is present on one topic, kept by its diffs. */
export class MetasByKey {
  readonly #metas = new Map<string, readonly PresenceMeta[]>();

  apply({ joins, leaves }: PresenceDiff): void {
    for (const [key, { metas }] of Object.entries(leaves)) {
      const gone = new Set(metas.map((meta) => meta.phx_ref));
      const rest = (this.#metas.get(key) ?? []).filter((meta) => !gone.has(meta.phx_ref));
      if (rest.length > 0) this.#metas.set(key, Object.freeze(rest));
      else this.#metas.delete(key);
    }
    for (const [key, { metas }] of Object.entries(joins))
      this.#metas.set(key, freezeJson([...(this.#metas.get(key) ?? []), ...metas]));
  }

  /** Cost: O(keys). */
  snapshot(): Readonly<Record<string, readonly PresenceMeta[]>> {
    return Object.assign(Object.create(null), Object.fromEntries(this.#metas));
  }
}
