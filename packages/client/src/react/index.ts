/** Hooks for React. */
export { PresentlyProvider, type PresentlyProviderProps, useClient } from "./client-context.ts";
export { type UseLiveValues, type UseTyping, useLiveValues, useTyping } from "./use-live-values.ts";
export { type UsePresence, usePresence } from "./use-presence.ts";
export { useConnection, useStatus } from "./use-status.ts";
