/** The systems that are compared, Presently first. */
import type { OpenMember } from "./member.ts";

export type PeerName =
  | "presently"
  | "presently-0"
  | "bare"
  | "redis"
  | "colyseus"
  | "awareness"
  | "faye"
  | "socket.io-redis"
  | "socket.io-cluster";

export interface Peer {
  readonly name: PeerName;
  readonly title: string;
  /** Whether it needs a Redis server. */
  readonly redis: boolean;
  /** Whether its people need connections, from a process of their own. */
  readonly crowd: boolean;
  /** Whether its processes must be workers of Node's `cluster`. */
  readonly worker: boolean;
  /** Loads the module in the process that becomes a member, so that no process holds another system's code. */
  readonly load: () => Promise<OpenMember>;
}

const plain = { redis: false, crowd: false, worker: false };

export const PEERS: Readonly<Record<PeerName, Peer>> = {
  presently: {
    ...plain,
    name: "presently",
    title: "Presently, default options",
    load: async () => (await import("./presently.ts")).presently(),
  },
  "presently-0": {
    ...plain,
    name: "presently-0",
    title: "Presently, flush interval 0",
    load: async () => (await import("./presently.ts")).presently(0),
  },
  bare: {
    ...plain,
    name: "bare",
    title: "nothing but maps, msgpackr and ws",
    load: async () => (await import("./bare.ts")).bare,
  },
  redis: {
    ...plain,
    name: "redis",
    title: "Redis hash + pub/sub, ioredis",
    redis: true,
    load: async () => (await import("./redis.ts")).redis,
  },
  colyseus: {
    ...plain,
    name: "colyseus",
    title: "@colyseus/redis-presence",
    redis: true,
    load: async () => (await import("./colyseus.ts")).colyseus,
  },
  awareness: {
    ...plain,
    name: "awareness",
    title: "Yjs awareness over ws",
    load: async () => (await import("./awareness.ts")).awareness,
  },
  faye: {
    ...plain,
    name: "faye",
    title: "faye-presence over Redis",
    redis: true,
    load: async () => (await import("./faye.ts")).fayePresence,
  },
  "socket.io-redis": {
    ...plain,
    name: "socket.io-redis",
    title: "Socket.IO, redis-adapter",
    redis: true,
    crowd: true,
    load: async () => (await import("./socket-io.ts")).socketIoOverRedis,
  },
  "socket.io-cluster": {
    ...plain,
    name: "socket.io-cluster",
    title: "Socket.IO, cluster-adapter",
    crowd: true,
    worker: true,
    load: async () => (await import("./socket-io.ts")).socketIoOverCluster,
  },
};
