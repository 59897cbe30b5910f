/** The client that the hooks below it use. */
import { createContext, createElement, type ReactNode, useContext } from "react";
import { type Client, ClientError } from "../index.ts";

const ClientContext = createContext<Client | undefined>(undefined);

export interface PresentlyProviderProps {
  /** Made once, outside of components: it connects when the first hook is mounted, never on a server that renders. */
  readonly client: Client;
  readonly children?: ReactNode;
}

/** Gives the client to the hooks. It does not close it. */
export function PresentlyProvider({ client, children }: PresentlyProviderProps): ReactNode {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** @throws {ClientError} `INVALID_ARGUMENT` outside of a `PresentlyProvider` */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === undefined)
    throw new ClientError("INVALID_ARGUMENT", "this hook needs a <PresentlyProvider client={…}> around it");
  return client;
}
