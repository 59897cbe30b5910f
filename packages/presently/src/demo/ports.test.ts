import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, it } from "vitest";
import { PortChooser } from "./ports.ts";

it("gives the preferred port while nobody listens there", async () => {
  const preferred = await new PortChooser().choose();
  expect(await new PortChooser().choose(preferred)).toBe(preferred);
});

it("gives another port when the preferred one is taken", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await new PortChooser().choose(port)).not.toBe(port);
  server.close();
});

it("gives no port twice", async () => {
  const chooser = new PortChooser();
  const preferred = await chooser.choose();
  expect(await chooser.choose(preferred)).not.toBe(preferred);
});
