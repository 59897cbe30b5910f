/**
 * A hostile client: bytes on a socket, as no library would send them. What it is answered with is kept.
 *
 * Nothing here waits for a fixed time, and every socket ends with the test that calls `endHostiles`.
 */
import { createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";
import { eventually } from "./eventually.ts";

const sockets = new Set<Socket>();

/** Cuts off everything that `RawClient` has opened; for `afterEach`. */
export function endHostiles(): void {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
}

/** Names that are more than names to code that uses a plain object as a table. */
export const POISON = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"] as const;

/** JSON that pollutes the prototype of everything if somebody merges it; look with `pollution`. */
export const POLLUTING_JSON =
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":{"__proto__":{"polluted":1}}}';

/** What has become of the prototype of everything; undefined if nothing. */
export function pollution(): unknown {
  return Reflect.get({}, "polluted");
}

/** JSON nested so deep; more than a few thousand overflow the stack of whoever walks the value. */
export function deepJson(levels: number): string {
  return `${'{"a":['.repeat(levels)}1${"]}".repeat(levels)}`;
}

/** What to change of a frame that is in order. */
export interface FrameOptions {
  /** Default 1, a text; 2 is binary, 8 close, 9 ping. */
  readonly opcode?: number;
  /** Whether it ends its message. Default true. */
  readonly fin?: boolean;
  /** Clients must mask. Default true. */
  readonly masked?: boolean;
  /** The three reserved bits. Default 0. */
  readonly reserved?: number;
  /** The length that it claims to have. Default: its length. */
  readonly claims?: number;
}

/** A frame of WebSocket, as a client sends it. */
export function frame(payload: string | Uint8Array, options: FrameOptions = {}): Buffer {
  const { opcode = 1, fin = true, masked = true, reserved = 0 } = options;
  const body = Buffer.from(payload as string);
  const length = options.claims ?? body.length;
  const header = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (length < 126) header.push(mask | length);
  else if (length < 65_536) header.push(mask | 126, length >> 8, length & 0xff);
  else header.push(mask | 127, 0, 0, 0, 0, ...u32(length));
  const key = masked ? [0x37, 0xfa, 0x21, 0x3d] : [];
  const masking = masked ? body.map((byte, index) => byte ^ key[index % 4]!) : body;
  return Buffer.concat([Buffer.from([...header, ...key]), masking]);
}

function u32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** What a request to upgrade says. */
export interface UpgradeOptions {
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The text of a request to upgrade to WebSocket. */
export function upgradeText(url: string, { query, headers = {} }: UpgradeOptions = {}): string {
  const { pathname, search, host } = new URL(url);
  const target = `${pathname}${query === undefined ? search : `?${query}`}`;
  const fields = {
    host,
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

export class RawClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #closed = false;

  /** Connects to the host and port of a URL. */
  static async open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const client = new RawClient(connect(Number(port), hostname));
    await new Promise<void>((resolve, reject) => {
      client.socket.once("connect", resolve);
      client.socket.once("error", reject);
    });
    return client;
  }

  /** Connects, and upgrades to WebSocket: settles with the answer, whatever it is. */
  static async upgrade(url: string, options: UpgradeOptions = {}): Promise<RawClient> {
    const client = await RawClient.open(url);
    client.send(upgradeText(url, options));
    await client.until(() => client.status !== undefined || client.closed, "an answer to the upgrade");
    return client;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    sockets.add(socket);
    // A server that cuts off whoever attacks it resets the connection.
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    socket.on("close", () => {
      this.#closed = true;
      sockets.delete(socket);
    });
  }

  /** Everything that came. */
  get received(): Buffer {
    return this.#received;
  }

  /** Everything that came, as text. */
  get text(): string {
    return this.#received.toString("latin1");
  }

  /** Whether the connection is gone. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The HTTP status of the first answer; undefined before it is there. */
  get status(): number | undefined {
    const [, status] = /^HTTP\/1\.1 (\d{3})[^\n]*\r\n[\s\S]*?\r\n\r\n/.exec(this.text) ?? [];
    return status === undefined ? undefined : Number(status);
  }

  /** Frames of WebSocket behind the answer to the upgrade, whole ones. */
  get frames(): readonly { readonly opcode: number; readonly payload: Buffer }[] {
    const frames: { opcode: number; payload: Buffer }[] = [];
    let offset = this.#received.indexOf("\r\n\r\n") + 4;
    while (offset + 2 <= this.#received.length) {
      const opcode = this.#received[offset]! & 0x0f;
      let length = this.#received[offset + 1]! & 0x7f;
      let begin = offset + 2;
      if (length === 126) {
        if (begin + 2 > this.#received.length) break;
        length = this.#received.readUInt16BE(begin);
        begin += 2;
      } else if (length === 127) {
        if (begin + 8 > this.#received.length) break;
        length = Number(this.#received.readBigUInt64BE(begin));
        begin += 8;
      }
      if (begin + length > this.#received.length) break;
      frames.push({ opcode, payload: this.#received.subarray(begin, begin + length) });
      offset = begin + length;
    }
    return frames;
  }

  /** Texts that came over WebSocket. */
  get messages(): readonly string[] {
    return this.frames.filter(({ opcode }) => opcode === 1).map(({ payload }) => payload.toString("utf8"));
  }

  /** The code with which the WebSocket was closed; undefined if it was not, or without one. */
  get closeCode(): number | undefined {
    const close = this.frames.find(({ opcode }) => opcode === 8);
    return close === undefined || close.payload.length < 2 ? undefined : close.payload.readUInt16BE(0);
  }

  /** Sends bytes as they are. Of a connection that is gone, nothing. */
  send(bytes: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /** Sends a message over WebSocket. */
  say(payload: string | Uint8Array, options?: FrameOptions): void {
    this.send(frame(payload, options));
  }

  /** Reads nothing more: what is sent to it waits at the server, once the buffers of the system are full. */
  stall(): void {
    this.socket.pause();
  }

  /** Reads on. */
  resume(): void {
    this.socket.resume();
  }

  /** Waits until something is so. */
  async until(check: () => boolean, what: string): Promise<void> {
    await eventually(
      () => {
        if (!check()) throw new Error(`received so far: ${this.text.slice(0, 500)}`);
      },
      { what, intervalMs: 5 },
    );
  }

  /** Waits until the server has cut it off. */
  untilClosed(): Promise<void> {
    return this.until(() => this.#closed, "the connection is closed");
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** A POST whose body is announced whole, sent in part, and then waited for: the slow loris. */
export async function stuckPost(
  url: string,
  announcedBytes: number,
  sent: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawClient> {
  const { pathname, search, host } = new URL(url);
  const client = await RawClient.open(url);
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  client.send(
    `POST ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${announcedBytes}\r\n${fields.join("")}\r\n${sent}`,
  );
  return client;
}

/** A JSON web token, made by hand: with `secret` undefined it is not signed, whatever it says. */
export function handmadeToken(
  claims: object,
  secret: string | undefined,
  header: object = { alg: secret === undefined ? "none" : "HS256", typ: "JWT" },
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const content = `${part(header)}.${part(claims)}`;
  const signature =
    secret === undefined ? "" : createHmac("sha256", secret).update(content).digest("base64url");
  return `${content}.${signature}`;
}

/** Seconds since 1970, `offset` from now: for the claims `exp`, `nbf` and `iat`. */
export function secondsFromNow(offset: number): number {
  return Math.floor(Date.now() / 1_000) + offset;
}
