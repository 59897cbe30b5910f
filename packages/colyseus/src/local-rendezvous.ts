/**
 * How do processes of one machine find each other, when nobody has told them of each other?
 *
 * Through a folder that only their user may enter. It holds a secret, and a file for each process with the address that
 * it listens on. A process first writes its file and then reads those of the others: of any two, the one that wrote last
 * sees the other, and dials it. Addresses travel on between nodes that are linked.
 */
import { createHash, randomBytes } from "node:crypto";
import { link, lstat, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NodeOptions, PresentlyError } from "presently";

/** The folder of the rendezvous is not this user's alone: somebody else could have put addresses or a secret there. */
export class RendezvousError extends PresentlyError {
  readonly folder: string;

  constructor(folder: string, problem: string) {
    super("UNSAFE_RENDEZVOUS", `${folder} ${problem}: remove it, or name another folder`);
    this.folder = folder;
  }
}

/** Where a process stands among the others. */
export interface Rendezvous {
  readonly options: NodeOptions;
  /** Takes our address away. */
  readonly leave: () => Promise<void>;
}

/**
 * Takes a port, tells the others of it, and gives the options of a node that finds them.
 *
 * @throws {RendezvousError} `UNSAFE_RENDEZVOUS` if the folder is not ours alone
 */
export async function meet(name: string | undefined, parent: string | undefined): Promise<Rendezvous> {
  const app = name ?? `${process.cwd()}\n${process.argv[1] ?? ""}`;
  const user = process.getuid?.() ?? "user";
  const folder = parent ?? join(tmpdir(), `presently-${user}`);
  await ownFolder(folder);
  const place = join(folder, createHash("sha256").update(app).digest("hex").slice(0, 32));
  await ownFolder(place);
  const secret = await sharedSecret(place);
  const port = await freePort();
  const life = `p${process.pid}-${randomBytes(4).toString("hex")}`;
  const file = join(place, `${life}.json`);
  await writeFile(file, JSON.stringify({ pid: process.pid, port }), { mode: 0o600, flag: "wx" });
  const peers = await addressesOfOthers(place, file);
  return {
    options: {
      name: life,
      cluster: "local",
      secret,
      mesh: { host: "127.0.0.1", port, peers },
      // Every life has a name of its own here: one that is gone does not come back.
      evictAfterMs: 60_000,
    },
    leave: () => rm(file, { force: true }),
  };
}

/** @throws {RendezvousError} unless the folder is a folder, ours, and closed to others */
async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (!found.isDirectory()) throw new RendezvousError(folder, "is not a folder");
  const uid = process.getuid?.();
  if (uid === undefined) return;
  if (found.uid !== uid) throw new RendezvousError(folder, "belongs to another user");
  if ((found.mode & 0o077) !== 0) throw new RendezvousError(folder, "can be entered by other users");
}

/** The secret of the place: whoever comes first makes it, whole or not at all. */
async function sharedSecret(place: string): Promise<string> {
  const file = join(place, "secret");
  const draft = join(place, `draft-${randomBytes(8).toString("hex")}`);
  await writeFile(draft, randomBytes(32).toString("hex"), { mode: 0o600, flag: "wx" });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return await readFile(file, "utf8");
}

/** Also takes away what processes left behind that are gone. */
async function addressesOfOthers(place: string, own: string): Promise<string[]> {
  const peers: string[] = [];
  for (const name of await readdir(place)) {
    const file = join(place, name);
    if (file === own || !name.endsWith(".json")) continue;
    // It may be half written, by a process that will then see ours; or be taken away just now.
    const text = await readFile(file, "utf8").catch(() => "");
    const found = /^\{"pid":(\d+),"port":(\d+)\}$/.exec(text);
    if (found === null) continue;
    if (runs(Number(found[1]))) peers.push(`ws://127.0.0.1:${found[2]}`);
    else await rm(file, { force: true });
  }
  return peers;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A port that was free just now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0, exclusive: true }, resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
