import { readMigrationFiles } from "drizzle-orm/migrator";
import { SchemaBehind } from "../domain/errors.ts";
import {
  checkUsable,
  ensureJournal,
  migrationsFolder,
  newestKnownMigrationMs,
  noteNeeded,
  readSchema,
} from "./migrations.ts";
import type { PostgresClient } from "./postgres-client.ts";
import type { SqlExecutor } from "./client.ts";

/** The key of the lock: an arbitrary number, the same for every process of this program. */
const lockKey = 7_165_201_384;
/** Another process may be migrating a large history. A longer wait for that process, or for a table, is an error. */
const lockTimeoutMs = 5 * 60_000;
/** The time limit of all migrations together, including the wait for the lock: a migration that rewrites every record takes
 *  about 6 s for each million, or under two hours for a thousand million. */
const migrationTimeoutMs = 12 * 3_600_000;

/** Brings the database's schema up to date, completely or not at all. If several processes start at the same time, one
 *  migrates and the others wait.
 *  @throws StoreUnavailable (also if a right is missing), StoreRejected if a migration contradicts the stored data, SchemaAhead */
export async function migratePostgres(client: PostgresClient): Promise<void> {
  // without the lock: a process that starts while others start, or while the database is far away, does not wait for it
  if ((await readNewest(client)) >= newestKnownMigrationMs()) return;
  await client.withConnection(migrationTimeoutMs, (connection) =>
    connection.transaction(async () => {
      await connection.query(`set local lock_timeout = ${lockTimeoutMs}`);
      // a lock of the transaction, not of the session, ends with the transaction, even behind a pooler
      await connection.query(`select pg_advisory_xact_lock(${lockKey})`);
      const schema = await readSchema(connection);
      checkUsable(schema, client.description);
      // another process may have been quicker, even one of a newer version
      if (schema.newestMs >= newestKnownMigrationMs()) return;
      const journal = await ensureJournal(connection);
      await runAfter(schema.newestMs, connection, journal);
      await connection.query(noteNeeded(journal));
    }),
  );
}

/** Checks that every migration has been run, and none that takes away what this program uses.
 *  @throws SchemaBehind if a migration is missing, SchemaAhead if there is one that this program would have to know; StoreUnavailable */
export async function checkSchema(client: PostgresClient): Promise<void> {
  const newestMs = await readNewest(client);
  if (newestMs >= newestKnownMigrationMs()) return;
  throw new SchemaBehind(
    newestMs === 0
      ? `${client.description} has no tables of this program: correct DATABASE_URL, or start one process with MIGRATE_ON_START=true`
      : `${client.description} has an older schema than this program: start one process with MIGRATE_ON_START=true`,
  );
}

/** @throws SchemaAhead, StoreUnavailable */
async function readNewest(client: PostgresClient): Promise<number> {
  const schema = await readSchema(client);
  checkUsable(schema, client.description);
  return schema.newestMs;
}

/** Runs the migrations that are newer than the newest one of the database. drizzle's own function would need the right to create schemas,
 *  even if there is nothing to create. */
async function runAfter(newestMs: number, executor: SqlExecutor, journal: string): Promise<void> {
  for (const { folderMillis, hash, sql } of readMigrationFiles({ migrationsFolder })) {
    if (folderMillis <= newestMs) continue;
    for (const statement of sql) await executor.query(statement);
    await executor.query(`insert into ${journal} (hash, created_at) values ($1, $2)`, [hash, folderMillis]);
  }
}
