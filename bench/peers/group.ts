/** Some processes of one system that see each other: the first holds the people, the others watch. */
import { type ChildProcess, fork } from "node:child_process";
import cluster from "node:cluster";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { setupPrimary } from "@socket.io/cluster-adapter";
import { bytesBetween } from "../processes/bytes-between.ts";
import { type Answer, type OrderName, type Orders, READY, type Request } from "../processes/member-orders.ts";
import { PEERS, type Peer, type PeerName } from "./index.ts";
import type { ChangeType } from "./member.ts";
import { RedisServer } from "./redis-server.ts";

const memberScript = fileURLToPath(new URL("../processes/member.ts", import.meta.url));
const crowdScript = fileURLToPath(new URL("../processes/socket-io-crowd.ts", import.meta.url));
const MEET_TRY_MS = 1_000;
const MEET_TRIES = 20;
const MEETING = "meeting";

/** One member, from outside. */
export class MemberProcess {
  readonly #child: ChildProcess;
  readonly #asked = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  #number = 0;
  /** What it sent to its primary for the other workers, as the JSON that goes over the channel. */
  adapterBytes = 0;
  readonly #ready: Promise<void>;

  constructor({ worker }: Pick<Peer, "worker">) {
    this.#child = worker ? forkWorker() : fork(memberScript);
    this.#ready = new Promise((resolve, reject) => this.#asked.set(READY, { resolve, reject }));
    this.#child.on("message", (message: Partial<Answer>) => {
      const { answers, result, error } = message;
      const asked = answers !== undefined && this.#asked.get(answers);
      if (!asked) {
        // Socket.IO's adapter for clusters has no other channel than this one.
        this.adapterBytes += Buffer.byteLength(JSON.stringify(message)) + 1;
        return;
      }
      this.#asked.delete(answers);
      if (error === undefined) asked.resolve(result as never);
      else asked.reject(new Error(`in a member's process: ${error}`));
    });
    this.#child.on("exit", (code, signal) => {
      for (const { reject } of this.#asked.values()) reject(new Error(`a member ended: ${code ?? signal}`));
    });
  }

  async ask<Name extends OrderName>(
    order: Name,
    given: Parameters<Orders[Name]>[0],
  ): Promise<ReturnType<Orders[Name]>> {
    await this.#ready;
    const number = this.#number++;
    return await new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
      this.#child.send({ order, number, given } satisfies Request<Name>);
    });
  }

  /** SIGKILL; settles when the process is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

export interface GroupOptions {
  /** Processes of the system, Redis not counted; 2 by default. */
  readonly size?: number;
  /** How many people can be in one room at a time; 1 by default. */
  readonly seats?: number;
  /** The rooms that people will be in, and that all but the first process watch. */
  readonly rooms: readonly string[];
}

/** The processes that a system needs besides its own. */
interface Surroundings {
  readonly crowd: ChildProcess | undefined;
  readonly redis: RedisServer | undefined;
}

export class Group {
  readonly peer: Peer;
  readonly members: readonly MemberProcess[];
  readonly #around: Surroundings;

  /** Settles when every other process has seen somebody join and leave at the first. */
  static async open(name: PeerName, options: GroupOptions): Promise<Group> {
    const { size = 2, seats = 1, rooms } = options;
    const peer = PEERS[name];
    // One each, for what is published in one reaches everybody in it.
    const redis = peer.redis ? await RedisServer.start() : undefined;
    // They start at the same time, and join one after the other.
    const members = Array.from({ length: size }, () => new MemberProcess(peer));
    const addresses: string[] = [];
    for (const [index, member] of members.entries()) {
      const place = {
        name: `n${index}`,
        peers: addresses.filter((address) => address !== ""),
        redisPort: redis?.port,
        seats: index === 0 ? seats : 0,
      };
      addresses.push((await member.ask("open", { peer: name, place })).address);
    }
    const crowd = peer.crowd ? await gather(addresses[0]!, seats) : undefined;
    const group = new Group(peer, members, { crowd, redis });
    await group.first.ask("seated", { rooms: [...rooms, MEETING] });
    await Promise.all(group.others.map((member) => member.ask("watch", { rooms: [...rooms, MEETING] })));
    await group.#meet();
    return group;
  }

  private constructor(peer: Peer, members: readonly MemberProcess[], around: Surroundings) {
    this.peer = peer;
    this.members = members;
    this.#around = around;
  }

  get first(): MemberProcess {
    return this.members[0]!;
  }

  get others(): readonly MemberProcess[] {
    return this.members.slice(1);
  }

  /** Of the two processes of a group, the one that watches. */
  get second(): MemberProcess {
    return this.members[1]!;
  }

  /**
   * All that has gone between the processes so far, and between them and Redis, in bytes: what TCP carries, without its
   * own headers. Workers of a cluster of two have a channel instead, over which everything goes twice.
   */
  async bytes(): Promise<number> {
    const sockets = bytesBetween(await Promise.all(this.members.map((member) => member.ask("traffic", {}))));
    return this.members.reduce((sum, { adapterBytes }) => sum + 2 * adapterBytes, sockets);
  }

  /** Nobody has seen anything yet. */
  async forget(): Promise<void> {
    await Promise.all(this.others.map((member) => member.ask("forget", {})));
  }

  /** Ends its processes. */
  async close(): Promise<void> {
    const { crowd, redis } = this.#around;
    await Promise.all(this.members.map((member) => member.kill()));
    if (crowd !== undefined) {
      const exited = once(crowd, "exit");
      crowd.kill("SIGKILL");
      await exited;
    }
    await redis?.stop();
  }

  /** Somebody joins and leaves until all have seen it; what else they have seen by then is forgotten. */
  async #meet(): Promise<void> {
    const one = { rooms: [MEETING], count: 1 };
    const saw = async (type: ChangeType): Promise<boolean> => {
      const seen = await Promise.all(
        this.others.map((member) => member.ask("seen", { count: 1, timeoutMs: MEET_TRY_MS })),
      );
      return seen.every((changes) => changes.some(([change]) => change === type));
    };
    for (let attempt = 0; attempt < MEET_TRIES; attempt++) {
      await this.first.ask("burst", { type: "join", ...one });
      const joined = await saw("join");
      await this.first.ask("burst", { type: "leave", ...one });
      if ((await saw("leave")) && joined) {
        await delay(MEET_TRY_MS / 10); // Whatever an earlier attempt has left under way.
        await this.forget();
        return;
      }
    }
    throw new Error(`the processes of ${this.peer.title} do not see each other`);
  }
}

/** Opens a group for each system, all at once: they wait for each other's answers more than they work. */
export function openGroups(
  names: readonly PeerName[],
  optionsOf: (name: PeerName) => GroupOptions,
): Promise<Group[]> {
  return Promise.all(names.map((name) => Group.open(name, optionsOf(name))));
}

let primaryIsSet = false;

function forkWorker(): ChildProcess {
  if (!primaryIsSet) {
    cluster.setupPrimary({ exec: memberScript });
    setupPrimary();
    primaryIsSet = true;
  }
  return cluster.fork().process;
}

async function gather(url: string, count: number): Promise<ChildProcess> {
  const crowd = fork(crowdScript);
  crowd.send({ url, count });
  await new Promise<void>((resolve, reject) => {
    crowd.once("message", () => resolve());
    crowd.once("exit", (code, signal) => reject(new Error(`the crowd ended: ${code ?? signal}`)));
  });
  return crowd;
}
