/** Finding ports that are free now and likely to stay so. */
import { once } from "node:events";
import { createServer } from "node:net";

const HOST = "127.0.0.1";
const ATTEMPTS_MAX = 200;

/**
 * Below the range from which operating systems number outgoing connections (32768 and up on Linux): the port of
 * a killed node must not be taken by somebody's outgoing connection before the node is back.
 */
const FREE_PORT_FROM = 20_000;
const FREE_PORT_BELOW = 32_768;

/** Hands out loopback ports, each once. */
export class PortChooser {
  readonly #handedOut = new Set<number>();

  /** Gives `preferred` if nobody listens there, else a free one. @throws Error when none is found. */
  async choose(preferred?: number): Promise<number> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const port = attempt === 0 && preferred !== undefined ? preferred : randomPort();
      if (this.#handedOut.has(port) || !(await isFree(port))) continue;
      this.#handedOut.add(port);
      return port;
    }
    throw new Error(`found no free port on ${HOST} in ${ATTEMPTS_MAX} attempts`);
  }
}

function randomPort(): number {
  return FREE_PORT_FROM + Math.floor(Math.random() * (FREE_PORT_BELOW - FREE_PORT_FROM));
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, HOST);
  try {
    await once(server, "listening");
  } catch {
    // Whatever keeps us from listening here, the answer is that this port is not to be had.
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
