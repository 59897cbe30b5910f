/** Opens the door of a server: who stands there asks the hooks of its node. */
import type { PresentlyNode } from "presently";
import { Gate, type GateOptions } from "presently/drop-in";
import { Doorkeeper, type DoorkeeperOptions } from "./doorkeeper.ts";
import type { Settings } from "./options.ts";

/** What the limits of an address are called here. */
const LIMIT_NAMES = {
  connectionsPerAddressMax: "limits.connectionsPerAddressMax",
  connectsPerAddressPerSecondMax: "limits.connectsPerAddressPerSecondMax",
  addressesMax: "limits.addressesMax",
} as const;

/** Undefined where everybody may do everything, and each address have as many sockets as it likes. */
export function openDoor(
  node: PresentlyNode,
  settings: Settings,
  { onNotice, ...told }: Pick<DoorkeeperOptions, "onSettled" | "onFailed"> & Pick<GateOptions, "onNotice">,
): Doorkeeper | undefined {
  const { access } = node;
  const { connectionsPerAddressMax, connectsPerAddressPerSecondMax, addressesMax, hookTimeoutMs } =
    settings.limits;
  const limits = { connectionsPerAddressMax, connectsPerAddressPerSecondMax, addressesMax, hookTimeoutMs };
  if (access === undefined && Object.values(limits).every((limit) => limit === undefined)) return undefined;
  return new Doorkeeper({
    gate: new Gate({ access, protocol: "socketcluster", limits, limitNames: LIMIT_NAMES, onNotice }),
    settings,
    addressOf: ({ request }) => request && node.addressOf(request),
    ...told,
  });
}
