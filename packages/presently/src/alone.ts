/** The transport of a node without one. */
import type { NodeTransport } from "./transport.ts";

/** Carries nothing: no peer is ever up, so nothing is ever sent. */
export const noTransport: NodeTransport = {
  url: undefined,
  peersExpected: 0,
  refused: {},
  start: () => Promise.resolve(),
  rename: () => undefined,
  forget: () => undefined,
  send: () => undefined,
  congested: () => false,
  redial: () => undefined,
  refuse: () => undefined,
  links: () => [],
  close: () => Promise.resolve(),
};
