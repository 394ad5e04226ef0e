import { readdir } from "node:fs/promises";
import { PGlite } from "@electric-sql/pglite";
import { dataDir as initialContent } from "@electric-sql/pglite-prepopulatedfs";
import { DrizzleQueryError } from "drizzle-orm";
import { drizzle } from "drizzle-orm/pglite";
import { migrate } from "drizzle-orm/pglite/migrator";
import { SchemaAhead, StoreUnavailable } from "../domain/errors.ts";
import type { SqlExecutor } from "./client.ts";
import { afterDamage } from "./database-files.ts";
import { freeMebibytesOf, reserveMebibytes } from "./free-space.ts";
import {
  checkUsable,
  migrationsFolder,
  newestKnownMigrationMs,
  noteNeeded,
  readSchema,
  usualJournal,
} from "./migrations.ts";
import type { PGliteAnswer, PGliteCall, PGliteConnection, PGliteSession } from "./pglite-connection.ts";
import { PGliteStatements } from "./pglite-statements.ts";
import { isUniqueViolation } from "./sqlstate.ts";

/** PGlite in this process: PostgreSQL with one session, which stops the process while it runs a statement. */
export class PGliteDatabase implements PGliteConnection, PGliteSession {
  private readonly statements: PGliteStatements;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly database: PGlite) {
    this.statements = new PGliteStatements(database);
  }

  /** Opens a database and brings its schema up to date. A new one is a copy of what initdb makes: running initdb takes 5 s of
   *  CPU time.
   *  @param dataDir a directory, or `memory://`
   *  @param content what a new database contains from the beginning, as PGlite dumps it; by default, nothing
   *  @param temporaryMaxMebibytes the most that the temporary files of a statement may take
   *  @throws StoreUnavailable if the database cannot be opened or migrated; SchemaAhead if a newer program has migrated it */
  static async open(
    dataDir: string,
    { content, temporaryMaxMebibytes = 64 }: { readonly content?: Blob; readonly temporaryMaxMebibytes?: number } = {},
  ): Promise<PGliteDatabase> {
    try {
      const database = await PGlite.create(
        dataDir,
        (await isNew(dataDir)) ? { loadDataDir: content ?? (await initialContent()) } : {},
      );
      await bringUpToDate(database, dataDir).catch(async (error: unknown) => {
        await database.close();
        throw error;
      });
      // not before: a migration may sort a whole table
      await database.exec(`set temp_file_limit = '${temporaryMaxMebibytes}MB'`);
      return new PGliteDatabase(database);
    } catch (cause) {
      if (cause instanceof SchemaAhead) throw cause;
      throw new StoreUnavailable(
        `the embedded store at ${dataDir} cannot be opened: ${reasonOf(cause)}. If this remains, its files are damaged: ${afterDamage}`,
        { cause },
      );
    }
  }

  connection(): Promise<PGliteConnection> {
    return Promise.resolve(this);
  }

  run(call: PGliteCall): Promise<PGliteAnswer> {
    const answer = this.last.then(() => this.answer(call));
    this.last = answer.catch(() => undefined);
    return answer;
  }

  close(): Promise<void> {
    return this.database.close();
  }

  private async answer(call: PGliteCall): Promise<PGliteAnswer> {
    switch (call.kind) {
      case "query":
        return (await this.database.query(call.text, [...call.params])).rows;
      case "prepared":
        return (await this.statements.run(call.text, call.params)).rows;
      case "change":
        return (await this.statements.run(call.text, call.params)).affectedRows ?? 0;
      case "copy":
        return this.copy(call.into, call.rows);
      case "commit":
        return this.commit();
    }
  }

  private async copy(into: string, rows: Uint8Array): Promise<boolean> {
    // PGlite provides the value of the option `blob` as this file
    const copy = `copy ${into} from '/dev/blob' with (format binary)`;
    const blob = new Blob([rows]);
    try {
      await this.database.exec(`savepoint copied; ${copy}; release savepoint copied`, { blob });
      return true;
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      await this.database.exec("rollback to savepoint copied");
      return false;
    }
  }

  private async commit(): Promise<PGliteAnswer> {
    const [result] = await this.database.exec("commit");
    if (result?.command === "COMMIT") return [];
    throw new Error("the transaction was undone, because one of its statements had failed");
  }
}

/** Errors of PGlite's file system have a number, those of WASI, and no message. */
const noSpace = 51;

function reasonOf(cause: unknown): string {
  // its message is the whole statement
  if (cause instanceof DrizzleQueryError && cause.cause !== undefined) return reasonOf(cause.cause);
  const { message, errno } = cause as { readonly message?: string; readonly errno?: number };
  if (message) return message;
  return errno === noSpace ? "no space is left on its disk" : `error ${errno} of PGlite's file system`;
}

async function isNew(dataDir: string): Promise<boolean> {
  if (dataDir.startsWith("memory:")) return true;
  return (await readdir(dataDir).catch(() => [])).length === 0;
}

async function bringUpToDate(database: PGlite, dataDir: string): Promise<void> {
  const executor: SqlExecutor = {
    query: async <Row>(text: string, params: readonly unknown[] = []) =>
      (await database.query<Row>(text, [...params])).rows,
  };
  const schema = await readSchema(executor);
  checkUsable(schema, `the embedded store at ${dataDir}`);
  if (schema.newestMs >= newestKnownMigrationMs()) return;
  await checkSpaceToMigrate(executor, dataDir);
  // before as well: migrating is a transaction of its own, and a process that dies after it must not leave what an older version has said
  if (schema.newestMs > 0) await executor.query(noteNeeded(usualJournal));
  await migrate(drizzle(database), { migrationsFolder });
  await executor.query(noteNeeded(usualJournal));
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
