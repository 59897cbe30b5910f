export { ListenError, SecretRequiredError } from "./errors.ts";
export type { LinkInfo } from "./link.ts";
export { Mesh } from "./mesh.ts";
export type { IdTaken, MeshNotice, MeshOptions, ProtocolOptions } from "./options.ts";
export type { RefusalCode } from "./refusal.ts";
export { checkTls, type TlsOptions } from "./tls.ts";
