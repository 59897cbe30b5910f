/** A page whose components a test mounts and unmounts: `show(["room:1", "room:1"])` mounts two of one room. */
import { createClient } from "@presently/client";
import { PresentlyProvider, usePresence } from "@presently/client/react";
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";

const query = new URLSearchParams(location.search);
const name = query.get("name")!;
const client = createClient(query.get("socket")!, { key: name });
const root = createRoot(document.getElementById("root")!);

function Member({ topic, mood }: { topic: string; mood: string }) {
  const { people, status, room } = usePresence(topic, { meta: { name, mood } });
  return createElement("output", { "data-room": status }, `${room?.topic} ${people.length}`);
}

function show(topics: readonly string[], mood = "calm"): void {
  const members = topics.map((topic, index) => createElement(Member, { key: index, topic, mood }));
  root.render(createElement(StrictMode, null, createElement(PresentlyProvider, { client }, ...members)));
}

Object.assign(globalThis, { show });
