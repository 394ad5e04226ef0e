import { connect, type Socket } from "node:net";
import postgres from "postgres";
import { StoreUnavailable } from "../domain/errors.ts";
import type { Clock } from "../kit/clock.ts";
import type { SqlTransaction } from "./client.ts";
import { fatalMessageIn } from "./fatal-message.ts";
import type { PostgresTls } from "./postgres-tls.ts";
import type { PostgresUrl } from "./postgres-url.ts";
import { unavailable } from "./error-hints.ts";
import { identifier, literal, pooledSettings, sessionSettings } from "./session-settings.ts";
import { SentStatements } from "./sent-statements.ts";
import { isUniqueViolation } from "./sqlstate.ts";

export interface PostgresConnectionOptions {
  readonly url: PostgresUrl;
  /** After this time, the server cancels a statement, and ends a session that leaves a transaction idle; 0: never. */
  readonly statementTimeoutMs: number;
  readonly clock: Clock;
  /** For a connection that reads and writes rows by their keys: its plans use the indexes. */
  readonly byKey?: boolean;
}

/** Compiling a query of many parts takes seconds, and saves milliseconds. */
const planning = { jit: "off" } as const;
/** A plan is kept for as long as the connection. One that was made while the tables were empty would read all of their rows, however
 *  many there are later. */
const keyedPlans = { enable_seqscan: "off" } as const;

/** A server on the same continent answers within 100 ms. The margin is for a server to which many clients connect at the
 *  same time. */
const connectTimeoutSeconds = 5;
/** How long a connection is idle before TCP probes it. Probes detect a connection that was cut off silently, and keep firewalls
 *  from closing an idle connection. */
const keepAliveSeconds = 10;
/** The wait before a cancellation is sent a second time; each further wait is twice as long. */
const cancelAgainMs = 50;
/** How long closing a connection waits for a server that may not answer. */
const endTimeoutSeconds = 1;

/** @returns the value for SET: a search_path is a list of names already */
function settingText(name: string, value: string | number): string {
  return name === "search_path" ? String(value) : literal(String(value));
}

/** One connection to PostgreSQL: it connects at its first statement, and never reconnects.
 *
 *  NEW -first statement-> OPEN; NEW, OPEN -lost, destroy or end-> ENDED
 *
 *  The pool of postgres.js is not used. When that pool loses a connection within `sql.begin`, it writes a rollback to the
 *  closed socket, which throws an exception that cannot be caught. After the pool has reconnected, the remaining statements of
 *  the transaction would run as separate statements. */
export class PostgresConnection implements SqlTransaction {
  /** The postgres.js client, for libraries that need one. */
  readonly sql: postgres.Sql;
  private readonly begin: string;
  private readonly tls: PostgresTls;
  private readonly underWay = new Set<(error: Error) => void>();
  /** The statements sent by the transaction under way. */
  private sent = new SentStatements();
  private socket: Socket | undefined;
  /** The last bytes received, unless they are encrypted. */
  private received: Buffer = Buffer.alloc(0);
  private hasEnded = false;
  private hasRefusedTls = false;
  private statement: postgres.PendingQuery<postgres.Row[]> | undefined;
  private isCancelling = false;

  constructor(private readonly options: PostgresConnectionOptions) {
    const { url, statementTimeoutMs, byKey = false } = options;
    this.tls = url.tls();
    const timeouts = {
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: statementTimeoutMs,
      // the others do not end a server process that sends an answer which this process, frozen or cut off, does not receive
      tcp_user_timeout: statementTimeoutMs,
    };
    const path = url.schema === undefined ? {} : { search_path: identifier(url.schema) };
    const session = { ...sessionSettings, ...path, ...timeouts, ...planning, ...(byKey ? keyedPlans : {}) };
    // a pooler refuses settings that it does not know, and postgres.js omits a 0: in both cases, each transaction sets them
    const perTransaction = url.isPooled || statementTimeoutMs === 0;
    const settings = {
      max: 1,
      // always given: otherwise an environment variable would count
      ssl: this.tls as never,
      // a limit here could end a connection between two statements of a transaction
      max_lifetime: null,
      idle_timeout: 0,
      connect_timeout: connectTimeoutSeconds,
      keep_alive: keepAliveSeconds,
      // only arrays need the types, and no statement returns an array
      fetch_types: false,
      onnotice: () => undefined,
      onclose: () => this.lose(),
      socket: () => this.openSocket(),
      connection: { application_name: "gpu-telemetry-pipeline", ...(perTransaction ? pooledSettings : session) },
    };
    this.sql = postgres(url.href, settings);
    // behind a pooler, a setting made outside a transaction may end up in another client's session
    const local = Object.entries(session).map(([name, value]) => `set local ${name} = ${settingText(name, value)}`);
    this.begin = perTransaction ? ["begin", ...local].join("; ") : "begin";
  }

  /** False if the connection is lost or has ended. */
  get isUsable(): boolean {
    return !this.hasEnded;
  }

  /** @param params numbers are sent as texts: the server converts each to the type of its parameter in the statement */
  async query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return [...(await this.run(text, params))] as unknown as Row[];
  }

  /** Call this only within a transaction. */
  send(text: string, params: readonly unknown[] = []): void {
    this.sent.add(this.run(text, params));
  }

  async change(text: string, params: readonly unknown[] = []): Promise<number> {
    return (await this.run(text, params)).count;
  }

  /** Call this only within a transaction. */
  async copy(into: string, rows: Uint8Array): Promise<boolean> {
    // postgres.js would never settle it
    if (this.hasEnded) throw this.lostError();
    this.send("savepoint copied");
    try {
      await this.untilLost(this.stream(`copy ${into} from stdin with (format binary)`, rows));
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      this.send("rollback to savepoint copied");
      return false;
    }
    this.send("release savepoint copied");
    return true;
  }

  /** Commits the statements of `work` when `work` resolves, and undoes them when it throws. */
  transaction<T>(work: () => Promise<T>): Promise<T> {
    return this.between(this.begin, work);
  }

  /** Runs the statements of `work`, which may only read, on one snapshot. */
  snapshot<T>(work: () => Promise<T>): Promise<T> {
    return this.between(this.begin.replace("begin", "begin isolation level repeatable read read only"), work);
  }

  private async between<T>(begin: string, work: () => Promise<T>): Promise<T> {
    // awaited: after a failed `begin`, each statement would be committed on its own
    await this.query(begin);
    this.sent = new SentStatements();
    try {
      return await this.sent.finish(work, () => this.commit());
    } catch (error) {
      // a lost connection has ended its transaction
      if (this.isUsable) await this.query("rollback").catch(() => this.destroy());
      throw error;
    }
  }

  /** @throws StoreUnavailable if the server has undone the transaction, which it does not report as an error */
  private async commit(): Promise<void> {
    const { command } = await this.run("commit", []);
    if (command !== "COMMIT") throw new StoreUnavailable(`${this.options.url.place} has undone a transaction`);
  }

  /** postgres.js does not prepare a statement without parameters. */
  private run(text: string, params: readonly unknown[]): Promise<postgres.RowList<postgres.Row[]>> {
    if (this.hasEnded) return Promise.reject(this.lostError());
    const values = params.map((value) => (typeof value === "number" ? String(value) : value));
    const prepare = !this.options.url.isPooled;
    this.statement = this.sql.unsafe(text, values as never[], { prepare });
    return this.untilLost(this.statement);
  }

  /** Asks the server to cancel the statement under way, which then fails, until none is under way: the server ignores a request that
   *  arrives before the statement. Use this connection for no other statement afterwards: a request could end that one. */
  async cancel(): Promise<void> {
    this.isCancelling = true;
    for (let waitMs = cancelAgainMs; this.isUsable && this.underWay.size > 0; waitMs *= 2) {
      this.requestCancellation();
      await this.options.clock.sleep(waitMs);
    }
  }

  /** Uses a connection of its own, as the protocol requires.
   *  Source: https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS */
  private requestCancellation(): void {
    const { statement } = this;
    // `cancel` of postgres.js drops this promise, so that a server that cannot be reached would end the process
    const cancelling = statement as unknown as { canceller: (query: typeof statement) => Promise<void> } | undefined;
    cancelling?.canceller(statement).catch(() => undefined);
  }

  /** Awaits `work`, but throws as soon as the connection is lost: postgres.js never settles a statement that is sent between a
   *  socket's `error` and its `close`. */
  async untilLost<T>(work: Promise<T>): Promise<T> {
    const lost = Promise.withResolvers<never>();
    this.underWay.add(lost.reject);
    try {
      return await Promise.race([work, lost.promise]);
    } finally {
      this.underWay.delete(lost.reject);
    }
  }

  /** Closes the connection as the protocol requires; statements under way fail. */
  async end(): Promise<void> {
    this.lose();
    await this.sql.end({ timeout: endTimeoutSeconds });
    this.socket?.destroy();
  }

  /** Closes the connection immediately; statements under way fail. */
  destroy(): void {
    this.lose();
    void this.sql.end({ timeout: 0 }).catch(() => undefined);
    this.socket?.destroy();
  }

  /** Sends the rows of a COPY. postgres.js loses an error that arrives after the end of the stream: it rejects the statement,
   *  whose promise is already fulfilled with the stream. The statement's `reject` is therefore wrapped. */
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
    const finished = new Promise<void>((resolve, fail) => void input.on("error", fail).on("close", resolve).end(rows));
    try {
      await Promise.race([finished, failed.promise]);
    } catch (error) {
      // otherwise postgres.js ends the stream later, with a message that makes a COPY fail that is then under way
      input.destroy();
      throw error;
    }
  }

  /** Opens the socket. `destroy` can then close the socket immediately, while postgres.js would wait for a frozen server to
   *  close its end.
   *  @throws StoreUnavailable if postgres.js tries to reconnect */
  private openSocket(): Socket {
    const { host, port, place } = this.options.url;
    const { tls } = this;
    const isReconnect = this.hasEnded || (this.socket !== undefined && !this.isCancelling);
    if (isReconnect) throw new StoreUnavailable(`${place} closed the connection`);
    const socket = connect({ host, port, noDelay: true });
    // of a cancellation, which postgres.js then makes into TLS as the connection's own
    if (this.socket !== undefined) return Object.assign(socket, { host });
    const ended = (): void => void (this.hasEnded = true);
    this.socket = socket.once("error", ended).once("close", ended);
    if (tls === false) this.socket.on("data", (data) => (this.received = data as Buffer));
    // the first byte says whether the server has TLS; postgres.js would begin TLS anyway, and report what the server makes of it
    else if (tls !== "prefer") this.socket.once("data", (data) => this.checkOffer(data as Buffer));
    // postgres.js checks the server's certificate for this name
    return Object.assign(this.socket, { host });
  }

  /** @param answer to the request for TLS: S or N
   *  Source: https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-SSL */
  private checkOffer(answer: Buffer): void {
    if (answer[0] !== 0x4e) return;
    this.hasRefusedTls = true;
    this.lose();
  }

  private lose(): void {
    this.hasEnded = true;
    for (const reject of this.underWay) reject(this.lostError());
  }

  private lostError(): StoreUnavailable {
    const { place, user } = this.options.url;
    if (this.hasRefusedTls) {
      return new StoreUnavailable(
        `${place} has no TLS, which sslmode in DATABASE_URL needs: switch it on in the server, or correct DATABASE_URL`,
      );
    }
    const fatal = fatalMessageIn(this.received);
    if (fatal !== undefined) return unavailable(`${place} ended the connection`, fatal, user);
    return new StoreUnavailable(
      `the connection to ${place} is lost; if this lasts, check the server's log and the network to it`,
    );
  }
}
