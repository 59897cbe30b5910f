/** The extensions of the server, without a server. */
import { RosterNames } from "presently/drop-in";
import { expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import type { FayeNotice } from "./notice.ts";
import { extensionsFor } from "./server-extensions.ts";
import { ToldBefore } from "./told-before.ts";

test("an extension of the application that throws at a confirmation is a notice", async () => {
  const notices: FayeNotice[] = [];
  const { outgoing } = extensionsFor({
    settings: {
      channelRe: /^\/presence\//,
      forgedEvents: "refuse",
      names: new RosterNames(),
      notice: (notice) => notices.push(notice),
    },
    publisher: { claim: () => false },
    toldBefore: new ToldBefore(),
    ownChannels: undefined,
    homes: undefined,
    subscriptions: undefined as never,
    relay: { forward: () => undefined, whenEffective: () => Promise.resolve(), whenServing: () => undefined },
  });
  const fault = new Error("an extension of the application");
  outgoing.outgoing!({ channel: "/meta/subscribe", subscription: "/chat" }, null, () => {
    throw fault;
  });
  await eventually(() => expect(notices).toMatchObject([{ type: "message-failed", error: fault }]));
});
