export type { SocketIoNotice } from "./notice.ts";
export type { AdapterOptions, Routing } from "./options.ts";
export { presently } from "./presently.ts";
