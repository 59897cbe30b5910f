/** People with a connection each to one Socket.IO server: they shake hands, answer its pings, and do nothing else. */
import { once } from "node:events";
import { WebSocket } from "ws";

/** Connections that are opened at a time. */
const OPENING = 50;

interface Call {
  readonly url: string;
  readonly count: number;
}

process.on("message", async ({ url, count }: Call) => {
  let opened = 0;
  const line = async () => {
    while (opened < count) {
      opened++;
      await come(url);
    }
  };
  await Promise.all(Array.from({ length: OPENING }, line));
  process.send!({ opened: count });
});
process.on("disconnect", () => process.exit());

/** Engine.IO 4: `0` opens, `2` asks whether we are there, `3` says so; `40` enters the main namespace. */
async function come(url: string): Promise<void> {
  const socket = new WebSocket(`${url}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
  const entered = new Promise<void>((resolve) => {
    socket.on("message", (data) => {
      const packet = String(data);
      if (packet[0] === "0") socket.send("40");
      else if (packet === "2") socket.send("3");
      else if (packet.startsWith("40")) resolve();
    });
  });
  await once(socket, "open");
  await entered;
}
