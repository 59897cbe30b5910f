/**
 * Who may do what at a SocketCluster server: asks the hooks of the node (`createNode({ access })`) about every socket.
 *
 * A socket is asked about at its handshake, and again whenever it has another token. What it was allowed under one identity is
 * no word about the next: its channels are then asked about anew, before anything of it is changed.
 */
import { type Admission, bearerTokenOf, type Gate, type Identity, namesOneHost } from "presently/drop-in";
import type { Settings } from "./options.ts";
import { channelKey, userIdOf } from "./records.ts";
import { CLOSE, RefusedError } from "./refusal.ts";
import { channelOfRoster } from "./roster.ts";
import type { SocketClusterAction, SocketClusterSocket } from "./server.ts";

/** A socket that was let in. */
interface Guest {
  readonly identity: Identity | undefined;
  /** The signed token that the socket had then; null for none. */
  readonly token: string | null;
  /** Channels that it may be subscribed to, and whether that makes it present there. */
  readonly channels: Map<string, boolean>;
  /** Gives its place to another, and stops waiting for it to expire. */
  readonly end: () => void;
}

/** Channels that are remembered beyond those that a socket is subscribed to. */
const CHANNELS_SPARE = 100;

/** The token that came with a handshake, as the server has judged it. */
interface AuthInfo {
  readonly signedAuthToken: string | null;
  readonly authToken: unknown;
  readonly authTokenError: unknown;
}

export interface DoorkeeperOptions {
  readonly gate: Gate;
  readonly settings: Settings;
  readonly addressOf: (socket: SocketClusterSocket) => string | undefined;
  /** What a socket may do has changed: its records are to follow. */
  readonly onSettled: (socket: SocketClusterSocket) => void;
  /** It could not be found out what a socket may do: it is disconnected. */
  readonly onFailed: (error: unknown) => void;
}

export class Doorkeeper {
  private readonly gate: Gate;
  private readonly settings: Settings;
  private readonly addressOf: DoorkeeperOptions["addressOf"];
  private readonly onSettled: DoorkeeperOptions["onSettled"];
  private readonly onFailed: DoorkeeperOptions["onFailed"];
  private readonly guests = new Map<SocketClusterSocket, Guest>();
  private readonly settling = new Set<SocketClusterSocket>();

  constructor({ gate, settings, addressOf, onSettled, onFailed }: DoorkeeperOptions) {
    this.gate = gate;
    this.settings = settings;
    this.addressOf = addressOf;
    this.onSettled = onSettled;
    this.onFailed = onFailed;
  }

  /** Rejects with what the client is refused with. */
  judge(action: SocketClusterAction): undefined | Promise<void> {
    const { type, socket, channel } = action;
    if (socket === undefined) return undefined;
    if (type === "handshakeSC") return this.enter(socket, action.data as AuthInfo);
    if (type === "authenticate") return this.renew(socket, action.signedAuthToken ?? null, action.authToken);
    if (channel === undefined) return undefined;
    if (type === "subscribe") return this.subscribe(socket, channel);
    if (type === "publishIn") return this.publish(socket, channel);
    return undefined;
  }

  /**
   * Whether it is known what the socket may do with the token that it has now, on the channels that it is subscribed to now.
   * If not, that is found out: `onSettled` tells, or the socket is disconnected.
   */
  isSettled(socket: SocketClusterSocket): boolean {
    const guest = this.guests.get(socket);
    const channels = socket.subscriptions();
    if (guest?.token === tokenOf(socket) && channels.every((channel) => guest.channels.has(channel))) {
      // Whoever comes to channels and leaves them for ever is to leave nothing here.
      if (guest.channels.size > channels.length + CHANNELS_SPARE)
        for (const channel of guest.channels.keys())
          if (!channels.includes(channel)) guest.channels.delete(channel);
      return true;
    }
    void this.settle(socket);
    return false;
  }

  /** Whether a subscription of the socket makes it present. */
  mayTrack(socket: SocketClusterSocket, channel: string): boolean {
    return this.guests.get(socket)?.channels.get(channel) === true;
  }

  /** Names the socket where its token does not. */
  idOf(socket: SocketClusterSocket): string | undefined {
    return this.guests.get(socket)?.identity?.id;
  }

  /** Whether the socket may see who is on a channel. */
  mayWatch(socket: SocketClusterSocket, channel: string): Promise<boolean> {
    return this.mayWatchAs(this.guests.get(socket)?.identity, channel);
  }

  /** Whether the socket may see the map of users, which has all channels. */
  mayInspect(socket: SocketClusterSocket): Promise<boolean> {
    return this.gate.may(this.guests.get(socket)?.identity, { kind: "inspect", what: "topics" });
  }

  /** The socket has gone. */
  left(socket: SocketClusterSocket): void {
    this.guests.get(socket)?.end();
    this.guests.delete(socket);
  }

  close(): void {
    for (const socket of [...this.guests.keys()]) this.left(socket);
  }

  private async enter(socket: SocketClusterSocket, info: AuthInfo): Promise<void> {
    if (socket.request !== undefined && !namesOneHost(socket.request))
      throw new RefusedError("The handshake must have one Host, and at most one Origin");
    const { signedAuthToken, authToken, authTokenError } = info;
    // A token that the server does not take is none to it, and may be one to the hook.
    const token = authTokenError ? null : signedAuthToken;
    const refusal = await this.admit(socket, token, signedAuthToken, authToken);
    if (refusal !== undefined) throw new RefusedError(refusal);
  }

  private async renew(socket: SocketClusterSocket, token: string | null, claims: unknown): Promise<void> {
    if (this.guests.get(socket)?.token === token) return;
    const refusal = await this.admit(socket, token, token, claims);
    // The server then takes its old token from it as well.
    if (refusal !== undefined) throw Object.assign(new RefusedError(refusal), { isBadToken: true });
  }

  private async subscribe(socket: SocketClusterSocket, channel: string): Promise<void> {
    const guest = this.guests.get(socket);
    if (!(await this.mayWatchAs(guest?.identity, channel)))
      throw new RefusedError(`You may not subscribe to ${channel}`);
    const isSeen = await this.mayTrackAs(socket, guest?.identity, channel);
    // It has become somebody else in the meantime, of whom this is not true.
    if (this.guests.get(socket) !== guest) return this.subscribe(socket, channel);
    guest?.channels.set(channel, isSeen);
  }

  private async publish(socket: SocketClusterSocket, channel: string): Promise<void> {
    const identity = this.guests.get(socket)?.identity;
    const topic = this.settings.names.subjectOf(channel);
    if (topic === undefined || !(await this.gate.may(identity, { kind: "publish", topic })))
      throw new RefusedError(`You may not publish on ${channel}`);
  }

  /** The server has given the socket a token, or taken it away; or it was there, or on a channel, before we knew. */
  private async settle(socket: SocketClusterSocket): Promise<void> {
    if (this.settling.has(socket)) return;
    this.settling.add(socket);
    const refusal = await this.review(socket).catch((error: unknown) => {
      this.onFailed(error);
      return REASONS.failed;
    });
    this.settling.delete(socket);
    if (refusal !== undefined) socket.disconnect(CLOSE.unauthorized, refusal);
    else this.onSettled(socket);
  }

  private async review(socket: SocketClusterSocket): Promise<string | undefined> {
    const token = tokenOf(socket);
    const guest = this.guests.get(socket);
    if (guest?.token !== token) return this.admit(socket, token, token, socket.authToken);
    await this.judgeChannels(socket, guest.identity, guest.channels);
    return undefined;
  }

  /** Lets the socket in, in the place of what it was before; gives the reason if it may not. */
  private async admit(
    socket: SocketClusterSocket,
    token: string | null,
    shown: string | null,
    claims: unknown,
  ): Promise<string | undefined> {
    const { url = "/", headers = {} } = socket.request ?? {};
    const query = Object.fromEntries(new URL(url, "http://localhost").searchParams);
    const admission = await this.gate.admit({
      token: shown ?? bearerTokenOf(headers) ?? query.token,
      params: { ...query, authToken: claims ?? null },
      headers,
      address: this.addressOf(socket),
    });
    if (!admission.ok) return REASONS[admission.reason];
    const channels = new Map<string, boolean>();
    await this.judgeChannels(socket, admission.identity, channels);
    if (socket.state === "closed") {
      admission.release();
      return "the socket has gone";
    }
    this.guests.get(socket)?.end();
    this.guests.set(socket, { ...this.watchOver(socket, admission), token, channels });
    return undefined;
  }

  private watchOver(socket: SocketClusterSocket, { identity, release }: Admission & { readonly ok: true }) {
    const forget = this.gate.onExpire(identity, () =>
      socket.disconnect(CLOSE.unauthorized, "your identity has expired"),
    );
    const end = () => {
      forget();
      release();
    };
    return { identity, end };
  }

  /** Judges those of its channels that are not judged yet, and puts it out of those that it may not be subscribed to. */
  private async judgeChannels(
    socket: SocketClusterSocket,
    identity: Identity | undefined,
    judged: Map<string, boolean>,
  ): Promise<void> {
    for (const channel of socket.subscriptions()) {
      if (judged.has(channel)) continue;
      if (await this.mayWatchAs(identity, channel))
        judged.set(channel, await this.mayTrackAs(socket, identity, channel));
      else if (socket.subscriptions().includes(channel))
        await socket.kickOut(channel, `you may not be subscribed to ${channel} any more`);
    }
  }

  private async mayWatchAs(identity: Identity | undefined, channel: string): Promise<boolean> {
    const watched = channelOfRoster(channel, this.settings) ?? channel;
    const topic = this.settings.names.subjectOf(watched);
    return topic !== undefined && this.gate.may(identity, { kind: "watch", topic });
  }

  private async mayTrackAs(
    socket: SocketClusterSocket,
    identity: Identity | undefined,
    channel: string,
  ): Promise<boolean> {
    // The followers of a roster are present on its channel for the other nodes only.
    if (channelOfRoster(channel, this.settings) !== undefined) return true;
    const userId = userIdOf(socket.authToken, this.settings) ?? identity?.id ?? null;
    const key = channelKey(userId, this.settings);
    const topic = this.settings.names.subjectOf(channel);
    return topic !== undefined && this.gate.may(identity, { kind: "track", topic, key });
  }
}

const REASONS = {
  starting: "This server is starting: try again",
  unauthenticated: "Your token is missing, or does not count",
  "too-many": "Too many connections from your address",
  failed: "It could not be found out who you are",
} as const;

function tokenOf({ signedAuthToken }: SocketClusterSocket): string | null {
  return signedAuthToken ?? null;
}
