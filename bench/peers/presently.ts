/** Presently: one node a process, one session a person. */
import { createNode, type Session } from "presently";
import { type Member, type OpenMember, touch } from "./member.ts";

/** Opens a node with default options, or with another flush interval. */
export const presently =
  (flushIntervalMs?: number): OpenMember =>
  async ({ name, peers, port }): Promise<Member> => {
    const node = await createNode({
      name,
      cluster: "bench",
      // Whoever is given a path to the others must not learn of a shorter one.
      mesh: port === undefined ? { port: 0, peers } : { port, peers, peerGossip: false },
      logLevel: "silent",
      ...(flushIntervalMs === undefined ? {} : { flushIntervalMs }),
    });
    await node.whenReady();
    const sessions = new Map<string, Session>();
    return {
      address: node.meshUrl!,
      join(room, key, meta) {
        const session = node.session();
        session.track(room, key, { ...meta });
        sessions.set(`${room} ${key}`, session);
      },
      update: (room, key, meta) => sessions.get(`${room} ${key}`)!.update(room, key, { ...meta }),
      leave(room, key) {
        sessions.get(`${room} ${key}`)!.close();
        sessions.delete(`${room} ${key}`);
      },
      watch: (room, listener) =>
        node.watch(room, (change) => {
          if (change.type === "state") return;
          // The meta is read because the watchers of the other systems have parsed it, too.
          for (const { key, meta } of change.joins) if (touch(key, meta)) listener("join", key);
          for (const { after } of change.updates)
            if (touch(after.key, after.meta)) listener("update", after.key);
          for (const { presence } of change.leaves) listener("leave", presence.key);
        }),
      list(room) {
        let members = 0;
        for (const { key, meta } of node.list(room)) members += touch(key, meta);
        return members;
      },
      stop: (handoffMs) => node.stop({ handoffMs }),
      count: (room) => node.count(room).entries,
    };
  };
