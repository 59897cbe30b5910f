/** Clients of an HTTP API in a process of their own: connections that are kept open, each of which asks again as soon as it is answered. */
import { Agent, request } from "node:http";

/** Ask for so long, over so many connections. With `put` each asks to put one person after the other, else for `path`. */
export interface AskerOrder {
  readonly url: string;
  readonly path: string;
  readonly put: boolean;
  readonly connections: number;
  readonly forMs: number;
}

let people = 0;

process.on("message", async ({ url, path, put, connections, forMs }: AskerOrder) => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const until = performance.now() + forMs;
  let answers = 0;
  const line = async () => {
    while (performance.now() < until) {
      const asked = put ? `${path}/presences/user-${process.pid}-${people++}` : path;
      await ask(`${url}${asked}`, put ? "PUT" : "GET", agent);
      answers++;
    }
  };
  await Promise.all(Array.from({ length: connections }, line));
  agent.destroy();
  process.send!({ answers });
});
process.on("disconnect", () => process.exit());

function ask(url: string, method: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    request(url, { method, agent }, (response) => {
      response.resume();
      response.on("end", resolve);
      if (response.statusCode !== 200 && response.statusCode !== 201)
        reject(new Error(`${method} ${url}: ${response.statusCode}`));
    })
      .on("error", reject)
      .end();
  });
}
