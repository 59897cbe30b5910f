/** Opens the door of a server: who stands there asks the hooks of its node. */
import type { PresentlyNode } from "presently";
import { type GateNotice, openGateIfAsked } from "presently/drop-in";
import { Doorkeeper, type DoorkeeperOptions } from "./doorkeeper.ts";
import type { Settings } from "./options.ts";

/** Whoever opens the door is told of what happens at it. */
type Told = Pick<DoorkeeperOptions, "onSettled" | "onFailed"> & {
  readonly onNotice: (notice: GateNotice) => void;
};

/** Undefined where everybody may do everything, and each address have as many sockets as it likes. */
export function openDoor(
  node: PresentlyNode,
  settings: Settings,
  { onNotice, ...told }: Told,
): Doorkeeper | undefined {
  const gate = openGateIfAsked(node, { protocol: "socketcluster", limits: settings.limits, onNotice });
  if (gate === undefined) return undefined;
  return new Doorkeeper({
    gate,
    settings,
    addressOf: ({ request }) => request && node.addressOf(request),
    ...told,
  });
}
