import { PGlite, type Transaction } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import { migrate } from "drizzle-orm/pglite/migrator";
import { StoreRejected, StoreUnavailable, TelemetryError } from "../domain/errors.ts";
import type { SqlClient, SqlTransaction } from "./client.ts";
import { isUniqueViolation, saysDataIsAtFault } from "./sqlstate.ts";

const migrationsFolder = `${import.meta.dir}/../../drizzle`;

/** Opens a database of this process's own and brings its schema up to date.
 *  @param dataDir a directory, or `memory://`
 *  @throws StoreUnavailable when it cannot be opened */
export async function openPGliteClient(dataDir: string): Promise<SqlClient> {
  try {
    const database = await PGlite.create(dataDir);
    await migrate(drizzle(database), { migrationsFolder });
    return new PGliteClient(database);
  } catch (cause) {
    throw new StoreUnavailable(`the embedded store at ${dataDir} cannot be opened: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** PostgreSQL in the process itself, by PGlite: one connection, one statement at a time. */
class PGliteClient implements SqlClient {
  private closing: Promise<void> | undefined;

  constructor(private readonly database: PGlite) {}

  query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.translated(async () => (await this.database.query<Row>(text, [...params])).rows);
  }

  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    return this.translated(() =>
      this.database.transaction((transaction) =>
        work({
          query: async <Row>(text: string, params: readonly unknown[] = []) =>
            (await transaction.query<Row>(text, [...params])).rows,
          copy: (into, rows) => copyIn(transaction, into, rows),
        }),
      ),
    );
  }

  close(): Promise<void> {
    this.closing ??= this.database.close();
    return this.closing;
  }

  private async translated<T>(run: () => Promise<T>): Promise<T> {
    if (this.closing !== undefined) throw new StoreUnavailable("the embedded store is closed");
    try {
      return await run();
    } catch (cause) {
      if (cause instanceof TelemetryError) throw cause;
      throw isRefusal(cause)
        ? new StoreRejected(`the store refused the data: ${(cause as Error).message}`, { cause })
        : new StoreUnavailable(`the embedded store failed: ${(cause as Error).message}`, { cause });
    }
  }
}

async function copyIn(transaction: Transaction, into: string, rows: string): Promise<boolean> {
  await transaction.exec("savepoint copied");
  try {
    // PGlite's name for what is given with the statement
    await transaction.query(`copy ${into} from '/dev/blob'`, [], { blob: new Blob([rows]) });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    await transaction.exec("rollback to savepoint copied");
    return false;
  }
  await transaction.exec("release savepoint copied");
  return true;
}

function isRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" && saysDataIsAtFault(code);
}
