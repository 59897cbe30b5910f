/** An HTTP client for tests: it sends what it is told, and changes neither the path nor the header fields. */
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { eventually } from "./eventually.ts";

/** What to send. `body` that is not a string is sent as JSON. */
export interface TestRequest {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came back; `body` is parsed if it is JSON, and the text otherwise. */
export interface TestResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly body: any;
  readonly text: string;
}

/** Sends a request to `base` + `path`, the path exactly as given, and reads the whole answer. */
export async function send(base: string, path: string, options: TestRequest = {}): Promise<TestResponse> {
  const response = await open(base, path, options);
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  const isJson = response.headers["content-type"]?.startsWith("application/json") === true && text !== "";
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
    text,
  };
}

/** The path of a topic, or of a key on it. */
export function topicPath(topic: string, key?: string): string {
  const path = `/api/topics/${encodeURIComponent(topic)}`;
  return key === undefined ? path : `${path}/presences/${encodeURIComponent(key)}`;
}

/** The keys that a node shows on a topic, sorted. */
export async function keysOn(base: string, topic: string): Promise<string[]> {
  const { status, body, text } = await send(base, topicPath(topic));
  if (status !== 200) throw new Error(`GET ${topic} at ${base}: ${status} ${text}`);
  return Object.keys(body.presences).sort();
}

/** A server-sent event as it came. */
export interface TestEvent {
  readonly event: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape.
  readonly data: any;
}

/** An open event stream. */
export interface TestStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Everything that came so far. */
  readonly events: readonly TestEvent[];
  /** Whether the other side has ended it. */
  readonly ended: boolean;
  /** The event at an index, awaited if it has not come yet. */
  at(index: number): Promise<TestEvent>;
  /** Stops reading, without closing: a client that is too slow. */
  stall(): void;
  /** Reads on. */
  resume(): void;
  /** Closes the connection, as a browser tab does. */
  close(): void;
}

/** Opens the event stream of a topic; comments are left out. */
export async function openEvents(
  base: string,
  topic: string,
  query: Readonly<Record<string, string>> = {},
): Promise<TestStream> {
  const search = new URLSearchParams(query).toString();
  return openEventsAt(base, `${topicPath(topic)}/events${search === "" ? "" : `?${search}`}`);
}

/** As `openEvents`, of any resource that is an event stream. */
export async function openEventsAt(base: string, path: string): Promise<TestStream> {
  const response = await open(base, path, {});
  const events: TestEvent[] = [];
  let ended = false;
  let rest = "";
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    rest += chunk;
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) if (!block.startsWith(":")) events.push(parseEvent(block));
  });
  response.on("end", () => {
    ended = true;
  });
  // Closing it ourselves aborts the response; the test that did so knows.
  response.on("error", () => {
    ended = true;
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events,
    get ended() {
      return ended;
    },
    at: (index) =>
      eventually(
        () => {
          const event = events[index];
          if (event === undefined) throw new Error(`${events.length} events came`);
          return event;
        },
        { what: `event ${index} of ${path}` },
      ),
    stall: () => response.pause(),
    resume: () => response.resume(),
    close: () => response.destroy(),
  };
}

function open(
  base: string,
  path: string,
  { method = "GET", body, headers }: TestRequest,
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(base);
  const payload = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path, method, headers, agent: false }, resolve);
    outgoing.on("error", reject);
    outgoing.end(payload);
  });
}

function parseEvent(block: string): TestEvent {
  const fields: Record<string, string> = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    fields[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return {
    event: fields.event ?? "",
    id: fields.id ?? "",
    data: fields.data === undefined ? undefined : JSON.parse(fields.data),
  };
}
