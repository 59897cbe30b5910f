import fc from "fast-check";
import { expect, test } from "vitest";
import { LIMIT_DEFAULTS } from "./limits.ts";
import type { PresenceStore } from "./presence-store.ts";
import { Subscriptions } from "./subscriptions.ts";
import { ToldBefore } from "./told-before.ts";

const CHANNEL = "/presence/x";
const CLIENT = "c";

/** What one client asks for: an id to be present under, or nothing to leave. */
const asked = fc.array(fc.option(fc.constantFrom("alice", "bob")), { minLength: 1, maxLength: 12 });

/** A server with an engine: it answers requests in order, and tells of subscriptions that began or ended, in order too. */
class World {
  id: string | undefined;
  readonly #eventsComeLate: boolean;
  readonly #subscriptions: Subscriptions;
  readonly #replies: { readonly number: number; readonly isJoin: boolean }[] = [];
  readonly #events: { readonly number: number; readonly isStart: boolean }[] = [];
  #answered = -1;
  #isSubscribed = false;

  constructor(eventsComeLate: boolean) {
    this.#eventsComeLate = eventsComeLate;
    const store: PresenceStore = {
      clients: 0,
      changes: 0,
      channelsOf: () => 0,
      idOf: () => this.id,
      add: (_channel, _client, { id }) => {
        this.id = id;
        return undefined;
      },
      remove: () => undefined,
      sendAway: () => undefined,
      values: () => [],
      close: () => undefined,
    };
    const toldBefore = new ToldBefore();
    const options = { store, toldBefore, limits: LIMIT_DEFAULTS, notice: () => undefined, now: () => 0 };
    this.#subscriptions = new Subscriptions({ ...options, eventsComeLate });
  }

  ask(number: number, id: string | null): void {
    if (id !== null)
      this.#subscriptions.request({ id: number, clientId: CLIENT, ext: { presence: { id } } }, [CHANNEL]);
    this.#replies.push({ number, isJoin: id !== null });
    if (this.#isSubscribed !== (id !== null)) this.#events.push({ number, isStart: id !== null });
    this.#isSubscribed = id !== null;
    if (!this.#eventsComeLate) {
      this.tell();
      this.answer();
    }
  }

  answer(): void {
    const reply = this.#replies.shift();
    if (reply === undefined) return;
    this.#answered = reply.number;
    if (reply.isJoin) void this.#subscriptions.confirm({ id: reply.number, clientId: CLIENT }, [CHANNEL]);
  }

  /** Of what was not answered yet an engine that tells late has told nothing. */
  tell(): void {
    const [event] = this.#events;
    if (event === undefined || (this.#eventsComeLate && event.number > this.#answered)) return;
    this.#events.shift();
    if (event.isStart) this.#subscriptions.subscribed(CLIENT, CHANNEL);
    else {
      this.#subscriptions.unsubscribed(CLIENT, CHANNEL);
      this.id = undefined;
    }
  }

  settle(): void {
    while (this.#replies.length > 0) this.answer();
    while (this.#events.length > 0) this.tell();
  }
}

test.each([
  ["at once", false],
  ["after its replies", true],
])(
  "a client that joins and leaves is present as it asked last, with an engine that tells %s",
  (_when, late) => {
    const between = fc.array(fc.constantFrom("answer" as const, "tell" as const), { maxLength: 4 });
    fc.assert(
      fc.property(asked, fc.array(between, { maxLength: 12 }), (ids, steps) => {
        const world = new World(late);
        for (const [number, id] of ids.entries()) {
          world.ask(number, id);
          for (const step of steps[number] ?? []) world[step]();
        }
        world.settle();
        expect(world.id ?? null).toBe(ids.at(-1));
      }),
    );
  },
);
