/**
 * A page of React in StrictMode, which mounts everything twice, with phoenix.js and nothing between: one component joins a
 * room in an effect, and leaves it when it is taken away. `show(times)` mounts it anew.
 */
import { Presence, Socket } from "phoenix";
import { createElement, StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const name = new URLSearchParams(location.search).get("name")!;
const socket = new Socket("/socket", { params: { user_id: name } });
socket.connect();
const root = createRoot(document.getElementById("root")!);
/** What a test looks at. */
const seen = { connected: 0, counts: {} as Record<string, number>, most: 0, joined: 0, timedOut: 0 };

socket.onOpen(() => void seen.connected++);

function Room({ topic }: { topic: string }) {
  const [counts, setCounts] = useState(seen.counts);
  useEffect(() => {
    const channel = socket.channel(topic);
    const presence = new Presence(channel);
    presence.onSync(() => {
      const list = presence.list((key, { metas }) => [key, metas.length]) as [string, number][];
      seen.counts = Object.fromEntries(list);
      seen.most = Math.max(seen.most, ...list.map(([, connections]) => connections));
      setCounts(seen.counts);
    });
    channel
      .join()
      .receive("ok", () => void seen.joined++)
      .receive("timeout", () => void seen.timedOut++);
    return () => void channel.leave();
  }, [topic]);
  return createElement("output", null, JSON.stringify(counts));
}

function show(times: number): void {
  const room = createElement(Room, { key: times, topic: "room:1" });
  root.render(createElement(StrictMode, null, room));
}

Object.assign(globalThis, { show, seen });
