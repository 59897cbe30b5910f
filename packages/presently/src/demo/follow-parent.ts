/**
 * Loaded into each node of the demo before the node itself (`node --import`): when the supervisor is gone, however it
 * went, the channel between them closes and the node leaves. That way not even `kill -9` leaves a process behind.
 */
process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
// The channel alone must not keep alive a node that has stopped.
process.channel?.unref();
