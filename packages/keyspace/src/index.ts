export { aloneMessenger, machineClock } from "./alone.ts";
export type { ConfirmOptions, KeyspaceEnvironment } from "./engine.ts";
export { NotAnIntegerError, OwnerUnreachableError, UnconfirmedError, WrongTypeError } from "./errors.ts";
export { Assemblies, cut } from "./fragments.ts";
export type { Item, ItemKind } from "./item.ts";
export type { KeyType } from "./key-state.ts";
export type { KeyChange } from "./key-table.ts";
export { Keyspace } from "./keyspace.ts";
export type { ListEnd } from "./lists.ts";
export type { KeyspaceClock, Messenger, ReplicaView } from "./messenger.ts";
export {
  KEYSPACE_DEFAULTS,
  type KeyspaceOptions,
  type KeyspaceSettings,
  resolveKeyspaceOptions,
} from "./options.ts";
export type { WriteOptions } from "./strings.ts";
export { MalformedMessageError } from "./wire.ts";
