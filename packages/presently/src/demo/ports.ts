/** Finding ports that are free now and likely to stay so. */
import { once } from "node:events";
import { createServer } from "node:net";

const HOST = "127.0.0.1";
const ATTEMPTS_MAX = 200;

/**
 * Below the range from which operating systems number outgoing connections (32768 and up on Linux): the port of
 * a killed node must not be taken by somebody's outgoing connection before the node is back.
 */
const FREE_PORTS: PortRange = { from: 20_000, below: 32_768 };

export interface PortRange {
  readonly from: number;
  readonly below: number;
}

/** Hands out loopback ports, each once. */
export class PortChooser {
  readonly #handedOut = new Set<number>();
  readonly #range: PortRange;

  /** @param range where it looks; several choosers that are at work at once want one each */
  constructor(range: PortRange = FREE_PORTS) {
    this.#range = range;
  }

  /** Gives `preferred` if nobody listens there, else a free one. @throws Error when none is found. */
  async choose(preferred?: number): Promise<number> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const port = attempt === 0 && preferred !== undefined ? preferred : randomPort(this.#range);
      if (this.#handedOut.has(port) || !(await isFree(port))) continue;
      this.#handedOut.add(port);
      return port;
    }
    throw new Error(`found no free port on ${HOST} in ${ATTEMPTS_MAX} attempts`);
  }
}

function randomPort({ from, below }: PortRange): number {
  return from + Math.floor(Math.random() * (below - from));
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
