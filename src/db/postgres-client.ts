import postgres from "postgres";
import type { Clock } from "../domain/clock.ts";
import { messageOf, StoreRejected, StoreUnavailable, TelemetryError } from "../domain/errors.ts";
import type { SqlClient, SqlExecutor } from "./client.ts";

export interface PostgresClientOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  readonly maxConnections: number;
  readonly clock: Clock;
}

const connectTimeoutSeconds = 5;
/** The server gives a statement up after it: an ingest takes well under a second, a slow query should not hold a
 *  connection for ever. */
const statementTimeoutMs = 30_000;
/** A server that does not answer at all (frozen, cut off) is given up a little later than it would give up itself. */
const callTimeoutMs = statementTimeoutMs + 10_000;
const closeTimeoutSeconds = 5;

type Sql = postgres.Sql;

/** Opens connections to PostgreSQL as they are needed; nothing is tried before the first call. */
export function openPostgresClient(options: PostgresClientOptions): PostgresClient {
  return new PostgresClient(options);
}

/** PostgreSQL or TimescaleDB, over a pool of connections. */
export class PostgresClient implements SqlClient {
  /** `host:port/database`, for messages: never the password. */
  readonly description: string;
  private readonly sql: Sql;
  private closing: Promise<void> | undefined;

  constructor(private readonly options: PostgresClientOptions) {
    this.description = describe(options.url);
    this.sql = postgres(options.url, {
      max: options.maxConnections,
      connect_timeout: connectTimeoutSeconds,
      keep_alive: 10,
      // the caller retries and waits, with its own backoff
      backoff: () => 0,
      onnotice: () => undefined,
      connection: {
        application_name: "gpu-telemetry-pipeline",
        statement_timeout: statementTimeoutMs,
        idle_in_transaction_session_timeout: statementTimeoutMs,
        TimeZone: "UTC",
      },
    });
  }

  query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.translated(() => run<Row>(this.sql, text, params));
  }

  transaction<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    return this.translated(
      () =>
        this.sql.begin((transaction) =>
          work({ query: (text, params = []) => run(transaction as unknown as Sql, text, params) }),
        ) as Promise<T>,
    );
  }

  /** Runs something on a connection of its own, for what belongs to a session, such as a lock. */
  async withConnection<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const single = postgres(this.options.url, {
      max: 1,
      connect_timeout: connectTimeoutSeconds,
      onnotice: () => undefined,
      connection: { application_name: "gpu-telemetry-pipeline", TimeZone: "UTC" },
    });
    try {
      return await work(single);
    } catch (cause) {
      throw this.translate(cause);
    } finally {
      await single.end({ timeout: closeTimeoutSeconds });
    }
  }

  close(): Promise<void> {
    this.closing ??= this.sql.end({ timeout: closeTimeoutSeconds });
    return this.closing;
  }

  private async translated<T>(call: () => Promise<T>): Promise<T> {
    if (this.closing !== undefined) throw new StoreUnavailable(`the connection to ${this.description} is closed`);
    try {
      return await this.withDeadline(call());
    } catch (cause) {
      throw this.translate(cause);
    }
  }

  private translate(cause: unknown): TelemetryError {
    if (cause instanceof TelemetryError) return cause;
    const text = messageOf(cause);
    return isRefusal(cause)
      ? new StoreRejected(`${this.description} refused the data: ${text}`, { cause })
      : new StoreUnavailable(`${this.description} failed: ${text}`, { cause });
  }

  /** The statement itself may go on at a server that answers late: whether a transaction was committed is then unknown,
   *  and the next try with the same message finds out. */
  private async withDeadline<T>(call: Promise<T>): Promise<T> {
    const answered = new AbortController();
    const deadline = this.options.clock.sleep(callTimeoutMs, answered.signal).then(() => {
      if (answered.signal.aborted) return undefined as never;
      throw new StoreUnavailable(`${this.description} did not answer within ${callTimeoutMs / 1000} s`);
    });
    try {
      return await Promise.race([call, deadline]);
    } finally {
      answered.abort();
      call.catch(() => undefined);
    }
  }
}

/** Parameters go as text, so that the server reads them as the type that the statement casts them to. */
async function run<Row>(sql: Sql, text: string, params: readonly unknown[]): Promise<Row[]> {
  const values = params.map((value) => (typeof value === "number" ? String(value) : value));
  return [...(await sql.unsafe(text, values as never[], { prepare: true }))] as Row[];
}

/** Classes of SQLSTATE that say the data or the statement is at fault, not the server: trying again will not help.
 *  Source: https://www.postgresql.org/docs/17/errcodes-appendix.html */
function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^(?:22|23|42)...$/.test(code);
}

function describe(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `PostgreSQL at ${hostname}:${port === "" ? 5432 : port}${pathname}`;
}
