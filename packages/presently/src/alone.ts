/** The transport of a node without a mesh. */
import type { Transport } from "@presently/replica";

/** Carries nothing: no peer is ever up, so nothing is ever sent. */
export const noTransport: Transport = {
  send: () => undefined,
  congested: () => false,
  redial: () => undefined,
  refuse: () => undefined,
};
