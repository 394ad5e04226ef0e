import type { Clock } from "../kit/clock.ts";
import { DeadlineExceeded, within } from "../kit/within.ts";
import { StoreUnavailable, type TelemetryError } from "../domain/errors.ts";
import type { SqlClient, SqlTransaction } from "./client.ts";
import { PostgresConnection } from "./postgres-connection.ts";
import { isRefusal, isTimeout, translatePostgresError } from "./postgres-errors.ts";
import { PostgresPool } from "./postgres-pool.ts";
import { parsePostgresUrl, type PostgresUrl } from "./postgres-url.ts";

export interface PostgresClientOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  readonly maxConnections: number;
  readonly clock: Clock;
  /** For a client that only asks: how long a statement may take, and the error of one that takes longer. */
  readonly questions?: { readonly timeoutMs: number; readonly tooLong: () => TelemetryError };
}

/** An ingest takes well under a second, the widest query some seconds: what takes longer waits for a lock or should not
 *  hold a connection. The server gives it up and says why. */
const statementTimeoutMs = 30_000;
/** A server that says nothing at all (frozen, cut off) is given up a little later than it would give up itself. */
const silenceMs = 10_000;

/** Opens connections to PostgreSQL as they are needed; nothing is tried before the first call.
 *  @throws InvalidConfig when the URL is none */
export function openPostgresClient(options: PostgresClientOptions): PostgresClient {
  return new PostgresClient(options);
}

/** PostgreSQL or TimescaleDB, over a pool of connections. A connection on which anything but a refusal happened is not
 *  used again: it may be lost, lead to a server that is a standby by now, or have answers under way. */
export class PostgresClient implements SqlClient {
  private readonly url: PostgresUrl;
  private readonly pool: PostgresPool;
  private readonly clock: Clock;
  private readonly callTimeoutMs: number;
  private closing: Promise<void> | undefined;

  constructor(private readonly options: PostgresClientOptions) {
    const { url, maxConnections, clock, questions } = options;
    const timeoutMs = questions?.timeoutMs ?? statementTimeoutMs;
    this.url = parsePostgresUrl(url);
    this.clock = clock;
    this.callTimeoutMs = timeoutMs + silenceMs;
    this.pool = new PostgresPool({ url: this.url, maxConnections, clock, statementTimeoutMs: timeoutMs });
  }

  /** Host, port and database, for messages: never the password. */
  get description(): string {
    return this.url.place;
  }

  query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.onConnection((connection) => connection.query<Row>(text, params));
  }

  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    return this.onConnection((connection) => connection.transaction(() => work(connection)));
  }

  /** Runs something on a connection of its own that the server gives as long as it takes.
   *  @param timeoutMs a server that has not answered by then is given up */
  async withConnection<T>(timeoutMs: number, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = new PostgresConnection({ url: this.url, statementTimeoutMs: 0 });
    try {
      return await this.inTime(timeoutMs, () => connection.untilLost(work(connection)));
    } catch (cause) {
      throw translatePostgresError(cause, this.description);
    } finally {
      await connection.end();
    }
  }

  /** Lets what is under way end, for a few seconds; later calls throw StoreUnavailable. */
  close(): Promise<void> {
    this.closing ??= this.pool.close();
    return this.closing;
  }

  private async onConnection<T>(use: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    try {
      return await this.inTime(this.callTimeoutMs, (exceeded) => this.onPooledConnection(use, exceeded));
    } catch (cause) {
      const { questions } = this.options;
      throw questions !== undefined && isTimeout(cause)
        ? questions.tooLong()
        : translatePostgresError(cause, this.description);
    }
  }

  private async onPooledConnection<T>(
    use: (connection: PostgresConnection) => Promise<T>,
    exceeded: AbortSignal,
  ): Promise<T> {
    const connection = await this.pool.take(exceeded);
    const destroy = (): void => connection.destroy();
    if (exceeded.aborted) destroy();
    exceeded.addEventListener("abort", destroy, { once: true });
    try {
      return await use(connection);
    } catch (error) {
      if (!isRefusal(error)) destroy();
      throw error;
    } finally {
      exceeded.removeEventListener("abort", destroy);
      this.pool.give(connection);
    }
  }

  /** After the time it is unknown whether a transaction was committed: the next try with the same message finds out. */
  private async inTime<T>(timeoutMs: number, work: (exceeded: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await within(this.clock, timeoutMs, work);
    } catch (cause) {
      if (!(cause instanceof DeadlineExceeded)) throw cause;
      this.pool.discardIdle();
      throw new StoreUnavailable(`${this.description} did not answer within ${timeoutMs / 1000} s`, { cause });
    }
  }
}
