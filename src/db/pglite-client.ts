import { StoreRejected, StoreUnavailable, TelemetryError } from "../domain/errors.ts";
import type { SqlClient, SqlExecutor, SqlReads, SqlTransaction } from "./client.ts";
import { textOf, unavailable } from "./error-hints.ts";
import { freeMebibytesOf, reserveMebibytes } from "./free-space.ts";
import { CallTooLong, type PGliteConnection, type PGliteSession } from "./pglite-connection.ts";
import { SentStatements } from "./sent-statements.ts";
import { SessionTurns } from "./session-turns.ts";
import { isDataError, isTemporaryLimit } from "./sqlstate.ts";
import { stopping } from "./stopping.ts";
import { tooCostly, tooLargeForDisk } from "./too-costly.ts";

/** Plans are kept: one that was made while the tables were empty would read all of their rows, however many there are later. */
const keyedPlans = "select set_config('enable_seqscan', 'off', true)";

/** The time limit of a statement that no client waits for. It ends what would never end, such as a write of PGlite without space
 *  for its log. */
const ownLimitMs = 60_000;

/** What the clients of one embedded database share. */
interface Shared {
  readonly session: PGliteSession;
  readonly turns: SessionTurns;
  /** The database's directory; undefined for one in memory. */
  readonly directory: string | undefined;
  closing: Promise<void> | undefined;
}

/** How a client's reads wait for their turn, and what a statement may take; undefined: as much as any. */
interface Reads {
  readonly kind: "light" | "heavy";
  readonly limitMs: number | undefined;
}

/** PGlite: PostgreSQL with one session, which runs one statement at a time. Write only in a transaction, because `query` does not
 *  check the free space. */
export class PGliteClient implements SqlClient {
  private constructor(
    private readonly shared: Shared,
    private readonly reads: Reads,
  ) {}

  /** @param directory undefined if the database is in memory */
  static on(session: PGliteSession, directory: string | undefined): PGliteClient {
    const shared = { session, turns: new SessionTurns(), directory, closing: undefined };
    return new PGliteClient(shared, { kind: "light", limitMs: undefined });
  }

  /** A client of the same database, for the questions of clients.
   *  @param limitMs the time that a statement may take: one that takes longer throws QueryTooCostly; undefined: as much as any */
  forQuestions(kind: Reads["kind"], limitMs: number | undefined): PGliteClient {
    return new PGliteClient(this.shared, { kind, limitMs });
  }

  /** Resolves when the database is ready to run statements, without waiting for the one under way.
   *  @throws StoreUnavailable if the database is closed, or has ended and cannot be opened again */
  async probe(): Promise<void> {
    await this.translated(() => this.shared.session.connection());
  }

  query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.read((executor) => executor.query<Row>(text, params));
  }

  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    return this.inTurn("write", async (connection) => {
      await this.checkSpace();
      const run = <Row>(text: string, params: readonly unknown[] = []) =>
        connection.run({ kind: "prepared", text, params }, ownLimitMs) as Promise<Row[]>;
      const sent = new SentStatements();
      const statements: SqlTransaction = {
        query: run,
        send: (text, params) => sent.add(run(text, params)),
        change: (text, params = []) => connection.run({ kind: "change", text, params }, ownLimitMs) as Promise<number>,
        copy: (into, rows) => connection.run({ kind: "copy", into, rows }, ownLimitMs) as Promise<boolean>,
      };
      return between(connection, "begin", () => {
        statements.send(keyedPlans);
        return sent.finish(
          () => work(statements),
          () => Promise.resolve(),
        );
      });
    });
  }

  inOrder<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    return this.inTurn("write", (connection) => work(this.executorOn(connection)));
  }

  snapshot<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    return this.readSnapshot(work);
  }

  until(signal: AbortSignal): SqlReads {
    const leaving = <T>(result: Promise<T>): Promise<T> =>
      result.catch((error: unknown) => {
        throw signal.aborted ? signal.reason : error;
      });
    return {
      query: <Row>(text: string, params: readonly unknown[] = []) =>
        leaving(this.read((executor) => executor.query<Row>(text, params), signal)),
      snapshot: (work) => leaving(this.readSnapshot((executor) => work(stopping(executor, signal)), signal)),
    };
  }

  close(): Promise<void> {
    const { shared } = this;
    shared.closing ??= shared.turns.run("light", () => shared.session.close());
    return shared.closing;
  }

  private read<T>(work: (executor: SqlExecutor) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.inTurn(this.reads.kind, (connection) => work(this.executorOn(connection)), signal);
  }

  private readSnapshot<T>(work: (executor: SqlExecutor) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const reading = (connection: PGliteConnection) =>
      between(connection, "begin isolation level repeatable read read only", () => work(this.executorOn(connection)));
    return this.inTurn(this.reads.kind, reading, signal);
  }

  private executorOn(connection: PGliteConnection): SqlExecutor {
    return {
      query: <Row>(text: string, params: readonly unknown[] = []) =>
        connection.run({ kind: "query", text, params }, this.reads.limitMs ?? ownLimitMs) as Promise<Row[]>,
    };
  }

  private inTurn<T>(
    kind: "light" | "write" | "heavy",
    work: (connection: PGliteConnection) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { turns, session } = this.shared;
    return this.translated(() => turns.run(kind, async () => work(await session.connection()), signal));
  }

  private async checkSpace(): Promise<void> {
    const { directory } = this.shared;
    if (directory === undefined) return;
    const freeMebibytes = await freeMebibytesOf(directory);
    if (freeMebibytes >= reserveMebibytes) return;
    throw new StoreUnavailable(
      `the disk of DATA_DIR ${directory} is full: ${freeMebibytes} MiB are free, and the embedded store needs ` +
        `${reserveMebibytes} to write; free space or enlarge it`,
    );
  }

  private async translated<T>(run: () => Promise<T>): Promise<T> {
    if (this.shared.closing !== undefined) throw new StoreUnavailable("the embedded store is closed");
    try {
      return await run();
    } catch (cause) {
      throw this.translate(cause);
    }
  }

  private translate(cause: unknown): unknown {
    if (cause instanceof TelemetryError) return cause;
    if (cause instanceof CallTooLong && this.reads.limitMs !== undefined) return tooCostly(this.reads.limitMs, cause);
    if (isTemporaryLimit(cause) && this.reads.limitMs !== undefined) return tooLargeForDisk(cause);
    const { message, code } = cause as { readonly message: string; readonly code?: unknown };
    const error = { message, code: typeof code === "string" ? code : undefined, cause };
    return error.code !== undefined && isDataError(error.code)
      ? new StoreRejected(`the store refused the data: ${textOf(error)}`, { cause })
      : unavailable("the embedded store failed", error);
  }
}

/** Commits the statements of `work` when `work` resolves, and undoes them when it throws. */
async function between<T>(connection: PGliteConnection, begin: string, work: () => Promise<T>): Promise<T> {
  const run = (text: string) => connection.run({ kind: "prepared", text, params: [] }, ownLimitMs);
  // awaited: after a failed `begin`, each statement would be committed on its own
  await run(begin);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // if this fails, PGlite has ended, and has undone the transaction
    await run("rollback").catch(() => undefined);
    throw error;
  }
  await connection.run({ kind: "commit" }, ownLimitMs);
  return result;
}
