/**
 * Redis as presence is usually built on it: a hash for each room, and a message to everybody with each change. Two commands
 * that travel together in one pipeline.
 */
import { once } from "node:events";
import { Redis } from "ioredis";
import { type ChangeType, type Listener, type Member, type Meta, type OpenMember, touch } from "./member.ts";

/** Settles when the connection takes commands: to subscribe while ioredis still asks the server about itself fails. */
export async function connect(port: number): Promise<Redis> {
  const connection = new Redis({ port, host: "127.0.0.1" });
  await once(connection, "ready");
  return connection;
}

export const redis: OpenMember = async ({ redisPort }): Promise<Member> => {
  const commands = await connect(redisPort!);
  const subscriptions = await connect(redisPort!);
  const listeners = new Map<string, Listener>();
  subscriptions.on("message", (channel: string, message: string) => {
    const { type, key } = JSON.parse(message) as { type: ChangeType; key: string };
    listeners.get(channel)?.(type, key);
  });
  const put = (type: ChangeType) => (room: string, key: string, meta: Meta) =>
    commands
      .pipeline()
      .hset(room, key, JSON.stringify(meta))
      .publish(room, JSON.stringify({ type, key, meta }))
      .exec();
  return {
    address: "",
    join: put("join"),
    update: put("update"),
    leave: (room, key) =>
      commands
        .pipeline()
        .hdel(room, key)
        .publish(room, JSON.stringify({ type: "leave", key }))
        .exec(),
    async watch(room, listener) {
      listeners.set(room, listener);
      await subscriptions.subscribe(room);
    },
    async list(room) {
      let members = 0;
      const people = await commands.hgetall(room);
      // Every meta stays the text that it is in Redis: parsing it would be the reader's own work.
      for (const key in people) members += touch(key, people[key]);
      return members;
    },
    count: (room) => commands.hlen(room),
  };
};
