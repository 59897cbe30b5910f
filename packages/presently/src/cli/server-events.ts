/** Reads a stream of server-sent events, as the HTML standard writes them, as far as a node uses it. */

/** One event. */
export interface ServerEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** The events of a body, as they come; a comment is an event named `comment`, so that a reader sees signs of life. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) yield parseBlock(block);
  }
}

function parseBlock(block: string): ServerEvent {
  const fields = { event: "message", id: "", data: "" };
  if (block.startsWith(":")) return { ...fields, event: "comment", data: block.slice(1).trim() };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    if (name === "event" || name === "id" || name === "data")
      fields[name] = line.slice(colon + 1).trimStart();
  }
  return fields;
}
