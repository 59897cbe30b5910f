/** A Bayeux client by hand: says exactly what it is told to, over HTTP, and gives back exactly what came. */
import { send } from "../helpers/http.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape.
type Message = any;

export class WireClient {
  readonly url: string;
  clientId = "";
  #number = 0;

  /** With a clientId, after a handshake. */
  static async open(url: string, connectionType = "long-polling"): Promise<WireClient> {
    const client = new WireClient(url);
    const [reply] = await client.post([
      {
        channel: "/meta/handshake",
        version: "1.0",
        supportedConnectionTypes: [connectionType],
        id: client.nextId(),
      },
    ]);
    client.clientId = reply.clientId;
    return client;
  }

  constructor(url: string) {
    this.url = url;
  }

  nextId(): string {
    return (++this.#number).toString(36);
  }

  /** The replies to a list of messages, as JSON. */
  async post(messages: readonly Message[]): Promise<Message[]> {
    const { body, status, text } = await this.#send("", { method: "POST", body: messages });
    if (status !== 200) throw new Error(`${status} ${text}`);
    return body;
  }

  /** The reply to one message of this client. */
  async say(channel: string, fields: Message = {}): Promise<Message> {
    const [reply] = await this.post([{ channel, clientId: this.clientId, id: this.nextId(), ...fields }]);
    return reply;
  }

  subscribe(subscription: unknown, presence?: Message): Promise<Message> {
    return this.say("/meta/subscribe", {
      subscription,
      ...(presence === undefined ? {} : { ext: { presence } }),
    });
  }

  unsubscribe(subscription: unknown): Promise<Message> {
    return this.say("/meta/unsubscribe", { subscription });
  }

  /** What waits for this client, at once or as soon as something comes. */
  async poll(timeout = 0): Promise<Message[]> {
    const replies = await this.post([
      {
        channel: "/meta/connect",
        clientId: this.clientId,
        connectionType: "long-polling",
        id: this.nextId(),
        advice: { timeout },
      },
    ]);
    return replies.filter(({ data }) => data !== undefined);
  }

  /** The replies to a list of messages, by callback-polling: a script that calls a function. */
  async script(messages: readonly Message[], callback = "jsonp_1"): Promise<Message[]> {
    const query = new URLSearchParams({ message: JSON.stringify(messages), jsonp: callback });
    const { text, headers } = await this.#send(`?${query}`);
    if (headers["content-type"]?.startsWith("text/javascript") !== true) throw new Error(text);
    const body = /^\/\*\*\/([\w.]+)\(([\s\S]*)\);$/.exec(text);
    if (body?.[1] !== callback) throw new Error(text);
    return JSON.parse(body[2]!);
  }

  #send(suffix: string, options: { method?: string; body?: unknown } = {}) {
    const { origin, pathname } = new URL(this.url);
    return send(origin, pathname + suffix, {
      ...options,
      headers: { "content-type": "application/json" },
    });
  }
}
