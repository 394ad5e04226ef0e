import { statfs } from "node:fs/promises";
import { PGlite, type Transaction } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import { migrate } from "drizzle-orm/pglite/migrator";
import { SchemaAhead, StoreRejected, StoreUnavailable, TelemetryError } from "../domain/errors.ts";
import type { SqlClient, SqlExecutor, SqlReads, SqlTransaction } from "./client.ts";
import { afterDamage } from "./database-files.ts";
import { textOf, unavailable } from "./error-hints.ts";
import { PGliteStatements } from "./pglite-statements.ts";
import { checkNotAhead, migrationsFolder, newestKnownMigrationMs, readNewestMigrationMs } from "./migrations.ts";
import { SentStatements } from "./sent-statements.ts";
import { isUniqueViolation, isDataError } from "./sqlstate.ts";
import { stopping } from "./stopping.ts";

/** Opens an embedded database and brings its schema up to date.
 *  @param dataDir a directory, or `memory://`
 *  @param content what a new database contains from the beginning, as PGlite dumps it; by default, nothing
 *  @throws StoreUnavailable if the database cannot be opened or migrated; SchemaAhead if a newer program has migrated it */
export async function openPGliteClient(dataDir: string, content?: Blob): Promise<SqlClient> {
  try {
    const database = await PGlite.create(dataDir, content === undefined ? {} : { loadDataDir: content });
    await bringUpToDate(database, dataDir).catch(async (error: unknown) => {
      await database.close();
      throw error;
    });
    return new PGliteClient(database, dataDir);
  } catch (cause) {
    if (cause instanceof SchemaAhead) throw cause;
    throw new StoreUnavailable(
      `the embedded store at ${dataDir} cannot be opened: ${(cause as Error).message}. If this remains, its files are damaged: ${afterDamage}`,
      { cause },
    );
  }
}

async function bringUpToDate(database: PGlite, dataDir: string): Promise<void> {
  const executor = executorOn(database);
  const newestMs = await readNewestMigrationMs(executor);
  checkNotAhead(newestMs, `the embedded store at ${dataDir}`);
  if (newestMs === newestKnownMigrationMs()) return;
  await checkSpaceToMigrate(executor, dataDir);
  await migrate(drizzle(database), { migrationsFolder });
}

function executorOn(database: PGlite): SqlExecutor {
  return {
    query: async <Row>(text: string, params: readonly unknown[] = []) =>
      (await database.query<Row>(text, [...params])).rows,
  };
}

/** A migration may rewrite every record, with the indexes and the write-ahead log, before it deletes the old
 *  records. */
const migrationSpaceFactor = 3;

/** @throws StoreUnavailable if there are records to migrate and the disk has too little space for that */
async function checkSpaceToMigrate(executor: SqlExecutor, dataDir: string): Promise<void> {
  const [size] = await executor.query<{ bytes: number | null }>(
    "select pg_total_relation_size(to_regclass('telemetry'))::float8 as bytes",
  );
  const bytes = size?.bytes ?? 0;
  if (dataDir.startsWith("memory:") || bytes === 0) return;
  const neededMebibytes = Math.ceil((bytes * migrationSpaceFactor) / 1024 ** 2) + reserveMebibytes;
  const free = await freeMebibytesOf(dataDir);
  if (free >= neededMebibytes) return;
  throw new StoreUnavailable(
    `its records have to be migrated, which needs ${neededMebibytes} MiB of free space, and the disk has ${free}: free ` +
      "space or enlarge it",
  );
}

async function freeMebibytesOf(dataDir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dataDir);
  return Math.floor((bavail * bsize) / 1024 ** 2);
}

/** The free space that a transaction needs: two segments of the write-ahead log, 16 MiB each. A batch writes a few
 *  MiB. Without space for the log, PostgreSQL exits, but PGlite loops for ever and blocks the process. */
const reserveMebibytes = 32;

/** Plans are kept: one that was made while the tables were empty would read all of their rows, however many there are later. */
const keyedPlans = "select set_config('enable_seqscan', 'off', true)";

/** PGlite: PostgreSQL inside the process, with one connection that runs one statement at a time. Write only in a transaction,
 *  because `query` does not check the free space. */
class PGliteClient implements SqlClient {
  private closing: Promise<void> | undefined;
  private readonly statements: PGliteStatements;
  /** The last of the statements of `until`. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly database: PGlite,
    private readonly dataDir: string,
  ) {
    this.statements = new PGliteStatements(database);
  }

  query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.translated(() => executorOn(this.database).query<Row>(text, params));
  }

  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    return this.translated(async () => {
      await this.checkSpace();
      return this.database.transaction((transaction) => {
        const sent = new SentStatements();
        const statements: SqlTransaction = {
          query: <Row>(text: string, params: readonly unknown[] = []) => this.statements.query<Row>(text, params),
          send: (text, params = []) => sent.add(this.statements.query(text, params)),
          copy: (into, rows) => copyIn(transaction, into, rows),
        };
        statements.send(keyedPlans);
        return sent.finish(
          () => work(statements),
          () => Promise.resolve(),
        );
      });
    });
  }

  inOrder<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    return this.translated(() => work(executorOn(this.database)));
  }

  snapshot<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    return this.translated(() =>
      this.database.transaction(async (transaction) => {
        await transaction.query("set transaction isolation level repeatable read, read only");
        return work({
          query: async <Row>(text: string, params: readonly unknown[] = []) =>
            (await transaction.query<Row>(text, [...params])).rows,
        });
      }),
    );
  }

  until(signal: AbortSignal): SqlReads {
    // one at a time: PGlite has a line of its own, which a statement cannot leave
    const inLine = <T>(run: () => Promise<T>): Promise<T> => {
      const result = this.last.then(() => {
        signal.throwIfAborted();
        return run();
      });
      this.last = result.catch(() => undefined);
      return result.catch((error: unknown) => {
        throw signal.aborted ? signal.reason : error;
      });
    };
    return {
      query: <Row>(text: string, params: readonly unknown[] = []) => inLine(() => this.query<Row>(text, params)),
      snapshot: (work) => inLine(() => this.snapshot((executor) => work(stopping(executor, signal)))),
    };
  }

  close(): Promise<void> {
    this.closing ??= this.database.close();
    return this.closing;
  }

  private async checkSpace(): Promise<void> {
    if (this.dataDir.startsWith("memory:")) return;
    const freeMebibytes = await freeMebibytesOf(this.dataDir);
    if (freeMebibytes >= reserveMebibytes) return;
    throw new StoreUnavailable(
      `the disk of DATA_DIR ${this.dataDir} is full: ${freeMebibytes} MiB are free, and the embedded store needs ` +
        `${reserveMebibytes} to write; free space or enlarge it`,
    );
  }

  private async translated<T>(run: () => Promise<T>): Promise<T> {
    if (this.closing !== undefined) throw new StoreUnavailable("the embedded store is closed");
    try {
      return await run();
    } catch (cause) {
      if (cause instanceof TelemetryError) throw cause;
      const { message, code } = cause as PGliteError;
      const error = { message, code: typeof code === "string" ? code : undefined, cause };
      throw isRefusal(cause)
        ? new StoreRejected(`the store refused the data: ${textOf(error)}`, { cause })
        : unavailable("the embedded store failed", error);
    }
  }
}

/** @returns false, with nothing stored, if a row's key exists already */
async function copyIn(transaction: Transaction, into: string, rows: Uint8Array): Promise<boolean> {
  // PGlite provides the value of the option `blob` as this file
  const copy = `copy ${into} from '/dev/blob' with (format binary)`;
  const blob = new Blob([rows]);
  try {
    await transaction.exec(`savepoint copied; ${copy}; release savepoint copied`, { blob });
    return true;
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    await transaction.exec("rollback to savepoint copied");
    return false;
  }
}

interface PGliteError {
  readonly message: string;
  readonly code?: unknown;
}

function isRefusal(error: unknown): boolean {
  const { code } = error as PGliteError;
  return typeof code === "string" && isDataError(code);
}
