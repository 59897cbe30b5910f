/** The same as `redis.ts`, through the interface that Colyseus gives to its rooms. */
import { RedisPresence } from "@colyseus/redis-presence";
import { type ChangeType, type Member, type Meta, type OpenMember, touch } from "./member.ts";

export const colyseus: OpenMember = async ({ redisPort }): Promise<Member> => {
  const presence = new RedisPresence({ port: redisPort!, host: "127.0.0.1" });
  // It connects on its own; this waits until it has.
  await presence.channels();
  const put = (type: ChangeType) => (room: string, key: string, meta: Meta) =>
    Promise.all([
      presence.hset(room, key, JSON.stringify(meta)),
      presence.publish(room, { type, key, meta }),
    ]);
  return {
    address: "",
    join: put("join"),
    update: put("update"),
    leave: (room, key) =>
      Promise.all([presence.hdel(room, key), presence.publish(room, { type: "leave", key })]),
    watch: (room, listener) =>
      presence.subscribe(room, ({ type, key }: { type: ChangeType; key: string }) => listener(type, key)),
    async list(room) {
      let members = 0;
      const people = await presence.hgetall(room);
      for (const key in people) members += touch(key, people[key]);
      return members;
    },
    count: (room) => presence.hlen(room),
  };
};
