export {
  type Dot,
  type EventNumber,
  incarnationOf,
  isReplicaId,
  nameOf,
  type ReplicaId,
  replicaId,
} from "./dot.ts";
