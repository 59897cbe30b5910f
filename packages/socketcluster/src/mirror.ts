/**
 * A copy of the records in MySQL or MariaDB, in the table of sc-presence, for whoever queries them there. Nothing is ever read
 * from it: presence does not depend on the database, and goes on without it.
 *
 * Each node writes the records of its own sockets. What a node left behind that crashed is removed by another one: at once for
 * the sockets that it saw leave, and by age (`scpGcThreshold`) for what nobody saw.
 */
import { InvalidArgumentError } from "presently";
import type { LocalSockets } from "./local-sockets.ts";
import { type MirrorChange, MirrorQueue } from "./mirror-queue.ts";
import type { Settings } from "./options.ts";
import type { SocketRecord } from "./records.ts";
import { rowOf } from "./user-map.ts";

/** The part of a pool of `mysql2/promise` that is used. */
export interface MirrorPool {
  query(sql: string, values?: unknown[]): Promise<readonly [unknown, unknown]>;
  getConnection(): Promise<MirrorConnection>;
}

export interface MirrorConnection {
  beginTransaction(): Promise<void>;
  query(sql: string, values?: unknown[]): Promise<readonly [unknown, unknown]>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  release(): void;
}

/** Where the copy is written, and how far it may lag behind. */
export interface MirrorOptions {
  /** `createPool(…)` of `mysql2/promise`; stays the caller's to end. */
  readonly pool: MirrorPool;
  /** Default `SCPresence_users`. */
  readonly table?: string;
  /** Changes wait this long to be written together. Default 250 ms. */
  readonly flushIntervalMs?: number;
  /** Changes kept while the database is away. Default 100,000. */
  readonly queueMax?: number;
}

const COLUMNS = [
  "SCP_socket_id",
  "SCP_user_id",
  "SCP_channel",
  "SCP_authToken",
  "SCP_ip",
  "SCP_origin",
] as const;
/** Rows of one statement. */
const ROWS_MAX = 500;
const RETRY_MS_MAX = 30_000;
/** The longest text that the column of the seed's schema takes; a longer token is left out. */
const TOKEN_LENGTH_MAX = 2_048;
const CHANNEL_LENGTH_MAX = 255;
const ORIGIN_LENGTH_MAX = 1_024;

export class Mirror {
  private readonly pool: MirrorPool;
  private readonly table: string;
  private readonly queue: MirrorQueue;
  private readonly settings: Settings;
  private readonly sockets: LocalSockets;
  private readonly isElected: () => boolean;
  private readonly warn: (error: Error) => void;
  private readonly flushIntervalMs: number;
  private readonly timers: NodeJS.Timeout[] = [];
  private flushTimer: NodeJS.Timeout | undefined;
  private working: Promise<void> = Promise.resolve();
  private retryMs = 0;
  private takesNumbersOnly: boolean | undefined;
  private closed = false;

  constructor(
    { pool, table = "SCPresence_users", flushIntervalMs = 250, queueMax = 100_000 }: MirrorOptions,
    settings: Settings,
    sockets: LocalSockets,
    isElected: () => boolean,
    warn: (error: Error) => void,
  ) {
    if (!/^[\w$]{1,64}$/.test(table))
      throw new InvalidArgumentError("mirror.table", "must be 1 to 64 letters, digits, _ or $");
    this.pool = pool;
    this.table = `\`${table}\``;
    this.queue = new MirrorQueue(queueMax);
    this.settings = settings;
    this.sockets = sockets;
    this.isElected = isElected;
    this.warn = warn;
    this.flushIntervalMs = flushIntervalMs;
    sockets.listen({
      put: (record, channel) => this.add({ socketId: record.socketId, channel, record }),
      gone: (socketId, channel) => this.add({ socketId, channel, record: undefined }),
    });
    this.timers.push(
      setInterval(() => this.schedule(() => this.refresh()), settings.refreshMs).unref(),
      setInterval(() => {
        if (isElected()) this.schedule(() => this.clean());
      }, settings.scpGcInterval * 1_000).unref(),
    );
  }

  /** Removes the records of sockets whose node is lost, if it falls to this node. */
  forget(socketIds: readonly string[]): void {
    if (socketIds.length === 0 || !this.isElected()) return;
    this.schedule(async () => {
      for (let start = 0; start < socketIds.length; start += ROWS_MAX) {
        const part = socketIds.slice(start, start + ROWS_MAX);
        await this.pool.query(`DELETE FROM ${this.table} WHERE SCP_socket_id IN (?)`, [part]);
      }
    });
  }

  /** Writes what is still to be written, once, and ends. */
  async close(): Promise<void> {
    this.closed = true;
    for (const timer of this.timers) clearInterval(timer);
    clearTimeout(this.flushTimer);
    this.schedule(() => this.flush());
    await this.working;
  }

  private add(change: MirrorChange): void {
    this.queue.add(change);
    this.flushSoon(this.flushIntervalMs);
  }

  private flushSoon(delayMs: number): void {
    if (this.closed || this.flushTimer !== undefined) return;
    this.flushTimer = setTimeout(() => {
      this.flushTimer = undefined;
      this.schedule(() => this.flush());
    }, delayMs).unref();
  }

  /** One thing at a time: what is written must not be overtaken by what was said before it. */
  private schedule(work: () => Promise<void>): void {
    this.working = this.working.then(work).catch((error: unknown) => {
      this.warn(new Error(`the mirror of presence could not be written: ${String(error)}`, { cause: error }));
    });
  }

  private async flush(): Promise<void> {
    for (let changes = this.queue.take(ROWS_MAX); changes.length > 0; changes = this.queue.take(ROWS_MAX)) {
      try {
        await this.write(changes);
        this.retryMs = 0;
      } catch (error) {
        this.queue.giveBack(changes);
        this.retryMs = Math.min(RETRY_MS_MAX, Math.max(1_000, 2 * this.retryMs));
        this.flushSoon(this.retryMs);
        throw error;
      }
    }
  }

  /**
   * Each record is removed before it is added: the unique index of the seed's schema takes any number of rows without a
   * user id for one, and a socket that has changed its user would leave the old row behind.
   */
  private async write(changes: readonly MirrorChange[]): Promise<void> {
    const takesNumbersOnly = await this.columnTakesNumbersOnly();
    const pairs = changes.map(({ socketId, channel }) => [socketId, channel.slice(0, CHANNEL_LENGTH_MAX)]);
    const added = changes.flatMap(({ record, channel }) =>
      record === undefined ? [] : [this.valuesOf(record, channel, takesNumbersOnly)],
    );
    const connection = await this.pool.getConnection();
    try {
      await connection.beginTransaction();
      await connection.query(`DELETE FROM ${this.table} WHERE (SCP_socket_id, SCP_channel) IN (?)`, [pairs]);
      if (added.length > 0)
        await connection.query(`INSERT INTO ${this.table} (${COLUMNS.join(", ")}) VALUES ?`, [added]);
      await connection.commit();
    } catch (error) {
      await connection.rollback();
      throw error;
    } finally {
      connection.release();
    }
  }

  private valuesOf(record: SocketRecord, channel: string, takesNumbersOnly: boolean): unknown[] {
    const row = rowOf(record, channel);
    const token = row.SCP_authToken;
    return [
      row.SCP_socket_id,
      takesNumbersOnly && !Number.isInteger(Number(row.SCP_user_id)) ? null : row.SCP_user_id,
      row.SCP_channel.slice(0, CHANNEL_LENGTH_MAX),
      token !== null && token.length > TOKEN_LENGTH_MAX ? null : token,
      row.SCP_ip,
      row.SCP_origin?.slice(0, ORIGIN_LENGTH_MAX) ?? null,
    ];
  }

  /** The seed's schema has a number for the user's id although its documentation allows texts: those are left out there. */
  private async columnTakesNumbersOnly(): Promise<boolean> {
    if (this.takesNumbersOnly !== undefined) return this.takesNumbersOnly;
    const [columns] = await this.pool.query(`SHOW COLUMNS FROM ${this.table} LIKE 'SCP_user_id'`);
    const type = (columns as readonly { readonly Type?: string }[])[0]?.Type ?? "";
    this.takesNumbersOnly = /int/i.test(type);
    return this.takesNumbersOnly;
  }

  /** Says of all records that they are alive, and adds again what is not there any more. */
  private async refresh(): Promise<void> {
    const bySocket = new Map<string, MirrorChange[]>();
    for (const { record, channel } of this.sockets.records()) {
      const { socketId } = record;
      const changes = bySocket.get(socketId) ?? [];
      changes.push({ socketId, channel, record });
      bySocket.set(socketId, changes);
    }
    const ids = [...bySocket.keys()];
    for (let start = 0; start < ids.length; start += ROWS_MAX) {
      const part = ids.slice(start, start + ROWS_MAX);
      const sql = `UPDATE ${this.table} SET SCP_updated = NOW() WHERE SCP_socket_id IN (?)`;
      const [result] = await this.pool.query(sql, [part]);
      const expected = part.flatMap((id) => bySocket.get(id) ?? []);
      if ((result as { readonly affectedRows?: number }).affectedRows !== expected.length)
        for (const change of expected) this.add(change);
    }
  }

  private async clean(): Promise<void> {
    const sql = `DELETE FROM ${this.table} WHERE SCP_updated < DATE_ADD(NOW(), INTERVAL -? SECOND)`;
    await this.pool.query(sql, [this.settings.scpGcThreshold]);
  }
}
