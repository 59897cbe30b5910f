/** Very many WebSocket clients in a process of its own, of Phoenix channels or of a bare server; they count what comes. */
import { once } from "node:events";
import { WebSocket } from "ws";

/** What the parent asks for: connect so many (and join the topic), or say when so many frames have come since the last time. */
export type AudienceOrder =
  | { readonly do: "connect"; readonly url: string; readonly count: number; readonly topic?: string }
  | { readonly do: "count"; readonly frames: number };

/** Connections that are opened at a time. */
const OPENING = 50;

const wallMs = () => performance.timeOrigin + performance.now();

let frames = 0;
let wanted = Number.POSITIVE_INFINITY;

function came(): void {
  frames++;
  if (frames < wanted) return;
  frames -= wanted;
  wanted = Number.POSITIVE_INFINITY;
  process.send!({ atMs: wallMs() });
}

async function connect(url: string, topic: string | undefined): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false, skipUTF8Validation: true });
  await once(socket, "open");
  if (topic !== undefined) {
    socket.send(JSON.stringify(["1", "1", topic, "phx_join", {}]));
    // The reply and the state; nobody comes or goes meanwhile.
    await once(socket, "message");
  }
  // What is counted is never looked into: the server is what is measured.
  socket.on("message", came);
}

process.on("message", async (order: AudienceOrder) => {
  if (order.do === "count") {
    wanted = order.frames;
    return;
  }
  let opened = 0;
  const line = async () => {
    while (opened < order.count) {
      opened++;
      await connect(order.url, order.topic);
    }
  };
  await Promise.all(Array.from({ length: OPENING }, line));
  // States that are still on their way.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  frames = 0;
  process.send!({ connected: opened });
});
process.on("disconnect", () => process.exit());
