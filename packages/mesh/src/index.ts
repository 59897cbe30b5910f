export { ListenError, SecretRequiredError } from "./errors.ts";
export type { LinkInfo } from "./link.ts";
export { Mesh } from "./mesh.ts";
export type { NameResolver } from "./name-resolver.ts";
export {
  type IdTaken,
  isPeer,
  type MeshNotice,
  type MeshOptions,
  type ProtocolOptions,
  SECRET_BYTES_MIN,
} from "./options.ts";
export type { Service } from "./peer-name.ts";
export type { RefusalCode } from "./refusal.ts";
export { checkTls, type TlsOptions } from "./tls.ts";
