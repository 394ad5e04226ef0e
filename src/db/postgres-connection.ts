import { connect, type Socket } from "node:net";
import postgres from "postgres";
import { StoreUnavailable } from "../domain/errors.ts";
import type { SqlTransaction } from "./client.ts";
import { fatalMessageIn } from "./fatal-message.ts";
import type { PostgresUrl } from "./postgres-url.ts";
import { unavailable } from "./error-hints.ts";
import { isUniqueViolation } from "./sqlstate.ts";

export interface PostgresConnectionOptions {
  readonly url: PostgresUrl;
  /** The server gives up a statement, and ends a session that leaves a transaction waiting, after it; 0: never. */
  readonly statementTimeoutMs: number;
}

/** A server on the same continent answers within 100 ms; the rest is for one that has many to let in. */
const connectTimeoutSeconds = 5;
/** Until the first probe; a way that is cut off without a word is seen, and firewalls keep an idle connection. */
const keepAliveSeconds = 10;
/** For the goodbye to a server that may not be listening. */
const endTimeoutSeconds = 1;

/** One connection to PostgreSQL, made at its first statement and never again.
 *
 *  NEW -statement-> OPEN -lost, destroy or end-> OVER
 *
 *  postgres.js's own pool is not used: when a connection is lost within `sql.begin`, its rollback is written to a socket
 *  that is gone, an exception that nobody can catch; and a connection that it makes anew would take the rest of a
 *  transaction as statements of their own. */
export class PostgresConnection implements SqlTransaction {
  /** For what takes postgres.js itself. */
  readonly sql: postgres.Sql;
  private readonly begin: string;
  private readonly underWay = new Set<(error: Error) => void>();
  private socket: Socket | undefined;
  /** The end of what the server said, where it is not encrypted. */
  private received: Buffer = Buffer.alloc(0);
  private isOver = false;

  constructor(private readonly options: PostgresConnectionOptions) {
    const { url, statementTimeoutMs } = options;
    const timeouts = { statement_timeout: statementTimeoutMs, idle_in_transaction_session_timeout: statementTimeoutMs };
    // a pooler refuses settings that it does not know, and postgres.js leaves a 0 out
    const perTransaction = url.isPooled || statementTimeoutMs === 0;
    const settings = {
      max: 1,
      // both would end a connection between two statements of a transaction
      max_lifetime: null,
      idle_timeout: 0,
      connect_timeout: connectTimeoutSeconds,
      keep_alive: keepAliveSeconds,
      // the statements name the type of what they ask for, and none asks for an array
      fetch_types: false,
      onnotice: () => undefined,
      onclose: () => this.lose(),
      socket: () => this.openSocket(),
      connection: { application_name: "gpu-telemetry-pipeline", ...(perTransaction ? {} : timeouts) },
    };
    this.sql = postgres(url.href, settings);
    // behind a pooler, what is set outside of a transaction may be another's
    const local = Object.entries(timeouts).map(([name, ms]) => `set local ${name} = ${ms}`);
    this.begin = perTransaction ? ["begin", ...local].join("; ") : "begin";
  }

  /** False when it was lost or ended. */
  get isUsable(): boolean {
    return !this.isOver;
  }

  /** @param params go as texts: the server reads them as the types that the statement gives them */
  async query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    if (this.isOver) throw this.lostError();
    const values = params.map((value) => (typeof value === "number" ? String(value) : value));
    const prepare = !this.options.url.isPooled;
    const rows = await this.untilLost(this.sql.unsafe(text, values as never[], { prepare }));
    return [...rows] as unknown as Row[];
  }

  /** Within a transaction. */
  async copy(into: string, rows: Uint8Array): Promise<boolean> {
    await this.query("savepoint copied");
    try {
      await this.untilLost(this.stream(`copy ${into} from stdin with (format binary)`, rows));
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      await this.query("rollback to savepoint copied");
      return false;
    }
    await this.query("release savepoint copied");
    return true;
  }

  /** Commits what `work` did when it resolves, undoes it when it throws. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.query(this.begin);
    try {
      const result = await work();
      await this.query("commit");
      return result;
    } catch (error) {
      // a connection that is lost takes its transaction with it
      if (this.isUsable) await this.query("rollback").catch(() => this.destroy());
      throw error;
    }
  }

  /** Waits for something that uses this connection, no longer than the connection lasts: postgres.js forgets a statement
   *  that comes between a socket's error and its end. */
  async untilLost<T>(work: Promise<T>): Promise<T> {
    const lost = Promise.withResolvers<never>();
    this.underWay.add(lost.reject);
    try {
      return await Promise.race([work, lost.promise]);
    } finally {
      this.underWay.delete(lost.reject);
    }
  }

  /** Says goodbye and closes it; what is under way fails. */
  async end(): Promise<void> {
    this.lose();
    await this.sql.end({ timeout: endTimeoutSeconds });
    this.socket?.destroy();
  }

  /** Closes it at once; what is under way fails. */
  destroy(): void {
    this.lose();
    void this.sql.end({ timeout: 0 }).catch(() => undefined);
    this.socket?.destroy();
  }

  /** postgres.js tells nobody of an error that comes after the stream's end: it rejects the statement, whose promise the
   *  stream has fulfilled by then. */
  private async stream(text: string, rows: Uint8Array): Promise<void> {
    const statement = this.sql.unsafe(text);
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const settling = statement as unknown as { reject: (error: unknown) => void };
    const { reject } = settling;
    settling.reject = (error) => {
      failed.reject(error);
      reject(error);
    };
    const input = await statement.writable();
    const finished = new Promise<void>((resolve, fail) => void input.on("error", fail).on("finish", resolve).end(rows));
    await Promise.race([finished, failed.promise]);
  }

  /** The socket is our own, so that it can be closed: postgres.js would wait for a frozen server to close its end. */
  private openSocket(): Socket {
    if (this.socket !== undefined) throw new StoreUnavailable(`${this.options.url.place} closed the connection`);
    const { host, port } = this.options.url;
    this.socket = connect({ host, port, noDelay: true }).once("error", () => {
      this.isOver = true;
    });
    if (!this.sql.options.ssl) this.socket.on("data", (data) => (this.received = data as Buffer));
    // postgres.js looks here for the name that the server's certificate should have
    return Object.assign(this.socket, { host });
  }

  private lose(): void {
    this.isOver = true;
    for (const reject of this.underWay) reject(this.lostError());
  }

  private lostError(): StoreUnavailable {
    const { place } = this.options.url;
    const lastWords = fatalMessageIn(this.received);
    if (lastWords !== undefined) return unavailable(`${place} ended the connection`, lastWords);
    return new StoreUnavailable(
      `the connection to ${place} is lost; if this goes on, look at the server's log and the network to it`,
    );
  }
}
