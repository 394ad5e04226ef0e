import { readMigrationFiles } from "drizzle-orm/migrator";
import type { SqlExecutor } from "./client.ts";
import { SchemaAhead } from "../domain/errors.ts";

/** The folder of the migrations, for drizzle. */
export const migrationsFolder = `${import.meta.dir}/../../drizzle`;

/** When the newest migration that this program knows was generated, in milliseconds since the epoch. Migrations are known by this
 *  instant: a database keeps it, and not their names. */
export function newestKnownMigrationMs(): number {
  return Math.max(...readMigrationFiles({ migrationsFolder }).map(({ folderMillis }) => folderMillis));
}

/** An SQL expression: when the newest migration of the database was generated, as `newestKnownMigrationMs` has it. */
export const newestMigrationMs = "(select max(created_at)::float8 from drizzle.__drizzle_migrations)";

/** @returns when the newest migration of the database was generated; 0 if it has none */
export async function readNewestMigrationMs(executor: SqlExecutor): Promise<number> {
  const tables = await executor.query("select 1 where to_regclass('drizzle.__drizzle_migrations') is not null");
  if (tables.length === 0) return 0;
  const [row] = await executor.query<{ newestMs: number | null }>(`select ${newestMigrationMs} as "newestMs"`);
  return row?.newestMs ?? 0;
}

/** @param place the database, for the message
 *  @throws SchemaAhead if the database has a migration that this program does not know */
export function checkNotAhead(newestMs: number, place: string): void {
  if (newestMs <= newestKnownMigrationMs()) return;
  throw new SchemaAhead(
    `${place} was migrated by a newer version of this program, which this version would damage: start the newer version, or ` +
      "restore the backup from before the migration (docs/operations.md, Upgrade, and the way back)",
  );
}
