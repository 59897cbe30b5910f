/** Leaving a channel until the server knows. The `leave` of phoenix.js takes its own word for the server's answer. */
import type { Channel, Push, Socket } from "phoenix";
import type { Clock } from "./clock.ts";

export interface ChannelLeave {
  readonly channel: Channel;
  readonly socket: Socket;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/**
 * Settles when the server has answered, when the connection is gone, by which the server learns of it, or after
 * `timeoutMs`. Never rejects.
 */
export function leaveChannel({ channel, socket, timeoutMs, clock, signal }: ChannelLeave): Promise<void> {
  return new Promise((resolve) => {
    const wasConnected = socket.isConnected();
    const { ref } = channel.leave(timeoutMs) as Push & { readonly ref: string };
    if (!wasConnected) {
      resolve();
      return;
    }
    const done = () => {
      stopTimer();
      signal.removeEventListener("abort", done);
      socket.off([onMessage, onClose]);
      resolve();
    };
    const stopTimer = clock.after(timeoutMs, done);
    const onMessage = socket.onMessage((message) => {
      if ("ref" in message && message.ref === ref) done();
    });
    const onClose = socket.onClose(done);
    signal.addEventListener("abort", done);
  });
}
