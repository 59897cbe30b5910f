/** Takes the steps that change presence, on a node and on the models beside it, event by event. */
import { InvalidArgumentError, type Meta, type ReplicaId } from "@presently/replica";
import { InvariantError } from "./errors.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Dot, ReferenceEvent } from "./reference.ts";
import { BATCH_KEYS, KEYS, metaOf, type OperationStep, TOPICS } from "./scenario.ts";
import { dotOf, SessionModel } from "./sessions.ts";
import type { World } from "./world.ts";

/** Large enough that a few changes congest a slow link. */
const BULKY: Meta = { text: "x".repeat(300) };

export class PresenceSteps {
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** Nothing happens if the node does not run. @throws {InvariantError} */
  operate(step: OperationStep): void {
    const process = this.world.current(step.node);
    if (process === undefined || process.paused) return;
    if (step.do === "kick") this.kick(process, step);
    else this.perform(process, () => this.change(process, step));
  }

  /** Runs an operation that must make exactly the events that it answers. */
  private perform(process: SimulatedProcess, work: () => readonly ReferenceEvent[]): void {
    const { id } = process;
    const before = process.endpoint.replica.state.vectorOf(id);
    const events = work();
    const made = process.endpoint.replica.state.vectorOf(id) - before;
    if (made !== events.length)
      throw new InvariantError("events", `${id} made ${made} events where ${events.length} belong`);
    for (const event of events) this.world.reference.record(id, event);
  }

  private change(
    process: SimulatedProcess,
    step: Exclude<OperationStep, { do: "kick" }>,
  ): readonly ReferenceEvent[] {
    const model = this.sessionAt(process, step.session);
    if (step.do === "close") {
      const removes = [...model.held.values()].map(({ topic, key }) =>
        this.dotOf(process, model, topic, key),
      );
      model.session.close();
      model.held.clear();
      return removes.length > 0 ? [{ adds: undefined, removes }] : [];
    }
    const topic = TOPICS[step.topic % TOPICS.length]!;
    if (step.do === "batch") return this.batch(process, model, topic);
    const key = KEYS[step.key % KEYS.length]!;
    if (step.do === "untrack") return this.untrack(process, model, topic, key);
    const { meta, isRefused } = metaOf(step);
    if (isRefused) return this.refused(model, topic, key, meta);
    return step.do === "track"
      ? this.track(process, model, topic, key, meta)
      : this.update(process, model, topic, key, meta);
  }

  /** Nothing may come of it. */
  private refused(
    { session }: SessionModel,
    topic: string,
    key: string,
    meta: Meta,
  ): readonly ReferenceEvent[] {
    try {
      session.track(topic, key, meta);
    } catch (error) {
      if (error instanceof InvalidArgumentError) return [];
      throw error;
    }
    throw new InvariantError("sessions", `${JSON.stringify(meta)} was tracked, which UTF-8 cannot say`);
  }

  private track(process: SimulatedProcess, model: SessionModel, topic: string, key: string, meta: Meta) {
    const removes = model.has(topic, key) ? [this.dotOf(process, model, topic, key)] : [];
    const others = this.dotsOn(process, topic, key);
    model.session.track(topic, key, meta);
    model.put(topic, key, meta);
    // One that nobody holds any more, whose node is leaving, was replaced by the same event.
    const before = removes.length > 0 ? undefined : model.session.get(topic, key)!.previousRef;
    const replaced = before === undefined ? undefined : others.get(before);
    return [{ adds: { topic, key, meta }, removes: replaced === undefined ? removes : [replaced] }];
  }

  /** Of those who are seen on a topic under a key, by reference. */
  private dotsOn(process: SimulatedProcess, topic: string, key: string): Map<string, Dot> {
    const presences = process.endpoint.replica.get(topic, key);
    return new Map(presences.map((presence) => [presence.ref, dotOf(process, presence)]));
  }

  private update(process: SimulatedProcess, model: SessionModel, topic: string, key: string, meta: Meta) {
    if (!model.has(topic, key)) return [];
    const removes = [this.dotOf(process, model, topic, key)];
    model.session.update(topic, key, () => meta);
    model.put(topic, key, meta);
    return [{ adds: { topic, key, meta }, removes }];
  }

  private untrack(process: SimulatedProcess, model: SessionModel, topic: string, key: string) {
    const removes = model.has(topic, key) ? [this.dotOf(process, model, topic, key)] : [];
    const found = model.session.untrack(topic, key);
    if (found !== model.drop(topic, key))
      throw new InvariantError("sessions", `untrack of ${key} at ${process.id} answered ${found}`);
    return found ? [{ adds: undefined, removes }] : [];
  }

  private batch(process: SimulatedProcess, model: SessionModel, topic: string): readonly ReferenceEvent[] {
    return process.endpoint.replica.batch(() => [
      ...BATCH_KEYS.flatMap((key) => this.track(process, model, topic, key, BULKY)),
      ...this.untrack(process, model, topic, KEYS[0]!),
    ]);
  }

  private kick(process: SimulatedProcess, step: { topic: number; key: number }): void {
    const { id } = process;
    const { replica } = process.endpoint;
    const [topic, key] = [TOPICS[step.topic % TOPICS.length]!, KEYS[step.key % KEYS.length]!];
    const removes = replica.get(topic, key).map((presence) => dotOf(process, presence));
    this.world.coverage?.kicked(this.world, process, topic, key, removes);
    // The sessions of this very node are told at once, and must find the event that took their entries.
    for (const [, dots] of byReplica(removes))
      this.world.reference.record(id, { adds: undefined, removes: dots });
    const count = replica.remove(topic, key);
    if (count !== removes.length || replica.state.vectorOf(id) !== this.world.reference.made(id))
      throw new InvariantError("events", `${id} removed ${count} of ${removes.length} entries that it shows`);
  }

  private dotOf(process: SimulatedProcess, model: SessionModel, topic: string, key: string): Dot {
    model.check();
    return dotOf(process, model.session.get(topic, key)!);
  }

  private sessionAt(process: SimulatedProcess, index: number): SessionModel {
    const models = this.world.sessions.get(process)!;
    let model = models[index];
    if (model === undefined || model.session.closed) {
      model = new SessionModel(process, (presence) => {
        const dot = this.dotOfRemoved(presence.replica, presence.ref);
        const { state } = process.endpoint.replica;
        if (this.world.isExact && (dot === undefined || !this.world.reference.isRemoved(dot, state.vector())))
          throw new InvariantError(
            "sessions",
            `a live session at ${process.id} lost ${presence.key} (${presence.ref}), which nobody removed`,
          );
      });
      models[index] = model;
    }
    return model;
  }

  /** A reference ends with the number of its event, in base 36. */
  private dotOfRemoved(replica: ReplicaId, ref: string): Dot | undefined {
    const number = Number.parseInt(ref.slice(ref.lastIndexOf(".") + 1), 36);
    return this.world.reference.event({ replica, number }) && { replica, number };
  }
}

/** A kick is an event for each replica whose entries it takes, in the order in which these come first. */
function byReplica(dots: readonly Dot[]): Map<ReplicaId, Dot[]> {
  const found = new Map<ReplicaId, Dot[]>();
  for (const dot of dots) {
    const others = found.get(dot.replica);
    if (others === undefined) found.set(dot.replica, [dot]);
    else others.push(dot);
  }
  return found;
}
