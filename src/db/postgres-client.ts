import type { Clock } from "../kit/clock.ts";
import { type Deadline, DeadlineExceeded, within } from "../kit/within.ts";
import { StoreUnavailable, type TelemetryError } from "../domain/errors.ts";
import type { SqlClient, SqlExecutor, SqlReads, SqlTransaction } from "./client.ts";
import { PostgresConnection } from "./postgres-connection.ts";
import { pastDeadlocks } from "./past-deadlocks.ts";
import { isRefusal, isTimeout, translatePostgresError } from "./postgres-errors.ts";
import { PostgresPool } from "./postgres-pool.ts";
import { parsePostgresUrl, type PostgresUrl } from "./postgres-url.ts";
import { isTemporaryLimit } from "./sqlstate.ts";
import { stopping } from "./stopping.ts";
import { tooLargeForDisk } from "./too-costly.ts";

export interface PostgresClientOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  readonly maxConnections: number;
  readonly clock: Clock;
  /** For a client that only reads: the time limit of a statement, and the error for a statement that the server cancels. */
  readonly queryLimit?: { readonly timeoutMs: number; readonly tooLong: () => TelemetryError };
}

/** An ingest takes well under a second, and the widest query a few seconds. A statement that takes longer than this limit
 *  waits for a lock, or should not occupy a connection. The server cancels such a statement and reports the reason.
 *  Behind a pooler, the limit applies only in transactions. `statement_timeout` in the URL's query overrides it. */
const statementTimeoutMs = 30_000;
/** A call includes the wait for a connection and may have several statements. Its time limit is this much longer than the
 *  client's own limit of one statement. A call that exceeds its limit is abandoned, because the server may be frozen or cut
 *  off. */
const extraMs = 10_000;

/** PostgreSQL or TimescaleDB, over a pool of connections that are opened as they are needed. A connection is used again only
 *  after a call that succeeded or whose data was refused. After any other error, the connection may be lost, may lead to a
 *  server that is now a standby, or may still receive the answer to an earlier statement. */
export class PostgresClient implements SqlClient {
  private readonly url: PostgresUrl;
  private readonly pool: PostgresPool;
  private readonly clock: Clock;
  private readonly callTimeoutMs: number;
  private closing: Promise<void> | undefined;

  /** Opens no connection. @throws InvalidConfig if the URL is not usable */
  constructor(private readonly options: PostgresClientOptions) {
    const { url, maxConnections, clock, queryLimit } = options;
    this.url = parsePostgresUrl(url);
    const timeoutMs = queryLimit?.timeoutMs ?? this.url.statementTimeoutMs ?? statementTimeoutMs;
    this.clock = clock;
    this.callTimeoutMs = timeoutMs + extraMs;
    const byKey = queryLimit === undefined;
    this.pool = new PostgresPool({ url: this.url, maxConnections, clock, statementTimeoutMs: timeoutMs, byKey });
  }

  /** Host, port and database, for messages: never the password. */
  get description(): string {
    return this.url.place;
  }

  /** See PostgresUrl. */
  get isPooled(): boolean {
    return this.url.isPooled;
  }

  get schema(): string | undefined {
    return this.url.schema;
  }

  get user(): string {
    return this.url.user;
  }

  query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.repeatedly((connection) => connection.query<Row>(text, params));
  }

  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    return this.onConnection((connection) => connection.transaction(() => work(connection)));
  }

  inOrder<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    return this.onConnection(work);
  }

  snapshot<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    return this.repeatedly((connection) => connection.snapshot(() => work(connection)));
  }

  until(signal: AbortSignal): SqlReads {
    return {
      query: <Row>(text: string, params: readonly unknown[] = []) =>
        this.repeatedly((connection) => connection.query<Row>(text, params), signal),
      snapshot: (work) =>
        this.repeatedly((connection) => connection.snapshot(() => work(stopping(connection, signal))), signal),
    };
  }

  /** Runs `work` on a new connection outside the pool. Within a transaction of this connection, statements have no time limit.
   *  @param timeoutMs the time limit of `work` as a whole */
  async withConnection<T>(timeoutMs: number, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = new PostgresConnection({ url: this.url, statementTimeoutMs: 0, clock: this.clock });
    try {
      return await within(this.clock, timeoutMs, () => connection.untilLost(work(connection)));
    } catch (cause) {
      throw this.translated(cause);
    } finally {
      await connection.end();
    }
  }

  /** Refuses the calls that wait for a connection, gives the calls under way a few seconds, then ends the pool's connections.
   *  Later calls throw StoreUnavailable. */
  close(): Promise<void> {
    this.closing ??= this.pool.close();
    return this.closing;
  }

  private repeatedly<T>(use: (connection: PostgresConnection) => Promise<T>, left?: AbortSignal): Promise<T> {
    return pastDeadlocks(() => this.onConnection(use, left));
  }

  /** @param left aborts when the call's result is not needed any more */
  private async onConnection<T>(use: (connection: PostgresConnection) => Promise<T>, left?: AbortSignal): Promise<T> {
    try {
      return await within(this.clock, this.callTimeoutMs, (deadline) => this.onPooled(use, deadline, left));
    } catch (cause) {
      if (left?.aborted === true) throw left.reason;
      throw this.translated(cause);
    }
  }

  private async onPooled<T>(
    use: (connection: PostgresConnection) => Promise<T>,
    deadline: Deadline,
    left?: AbortSignal,
  ): Promise<T> {
    const connection = await this.pool.take(() =>
      left === undefined ? deadline.signal : AbortSignal.any([deadline.signal, left]),
    );
    // this makes a statement under way fail
    const destroy = (): void => connection.destroy();
    const cancel = (): void => void connection.cancel();
    if (deadline.isExceeded) destroy();
    deadline.onExceeded(destroy);
    left?.addEventListener("abort", cancel, { once: true });
    try {
      left?.throwIfAborted();
      return await use(connection);
    } catch (error) {
      if (!isRefusal(error)) destroy();
      throw error;
    } finally {
      deadline.onExceeded(undefined);
      left?.removeEventListener("abort", cancel);
      // the cancellation may arrive after its statement has ended: on a connection that is used again, it would end another one
      if (left?.aborted === true) destroy();
      this.pool.give(connection);
    }
  }

  /** The error to throw. After a deadline, it is unknown whether a transaction was committed; the next attempt to store the
   *  same message finds out. */
  private translated(cause: unknown): TelemetryError {
    const { queryLimit } = this.options;
    if (queryLimit !== undefined && isTimeout(cause)) return queryLimit.tooLong();
    if (queryLimit !== undefined && isTemporaryLimit(cause)) return tooLargeForDisk(cause);
    if (!(cause instanceof DeadlineExceeded)) return translatePostgresError(cause, this.url);
    this.pool.discardIdle();
    return new StoreUnavailable(`${this.description} did not answer within ${cause.ms / 1000} s`, { cause });
  }
}
