import journal from "../../drizzle/meta/_journal.json";
import type { SqlExecutor } from "./client.ts";
import { contractions, oldestOfRule } from "./contractions.ts";
import { SchemaAhead } from "../domain/errors.ts";

/** The folder of the migrations, for drizzle. */
export const migrationsFolder = `${import.meta.dir}/../../drizzle`;

/** What a database's migrations say, each by the instant at which it was generated, in milliseconds since the epoch: a database keeps
 *  that, and not their names. */
export interface DatabaseSchema {
  /** The newest migration; 0 if there is none. */
  readonly newestMs: number;
  /** The newest migration that a program has to know to work with this database, as the program says that migrated it. */
  readonly neededMs: number;
}

/** The newest migration that this program knows. */
export function newestKnownMigrationMs(): number {
  return Math.max(...journal.entries.map(({ when }) => when));
}

/** SQL expressions: the newest migration of the database, and the newest one that a program has to know. A program from before the
 *  rule about migrations leaves no comment: then all have to be known. */
export const newestMigrationMs = "(select max(created_at)::float8 from drizzle.__drizzle_migrations)";
export const neededMigrationMs = `coalesce(
  substring(obj_description('drizzle.__drizzle_migrations'::regclass, 'pg_class') from '\\[(\\d+)\\]')::float8, ${newestMigrationMs})`;

/** Reads what the database's migrations say. */
export async function readSchema(executor: SqlExecutor): Promise<DatabaseSchema> {
  const none = { newestMs: 0, neededMs: 0 };
  const tables = await executor.query("select 1 where to_regclass('drizzle.__drizzle_migrations') is not null");
  if (tables.length === 0) return none;
  const [row] = await executor.query<{ newestMs: number | null; neededMs: number | null }>(
    `select ${newestMigrationMs} as "newestMs", ${neededMigrationMs} as "neededMs"`,
  );
  return row === undefined ? none : { newestMs: row.newestMs ?? 0, neededMs: row.neededMs ?? 0 };
}

/** A statement that says in the database which migration a program has to know from now on. It belongs to the transaction that migrates,
 *  or before it: before the migration, programs that do not know it still may use the database. */
export function noteNeeded(): string {
  const needed = contractions.at(-1)?.needs ?? oldestOfRule;
  const entry = journal.entries.find(({ tag }) => tag === needed);
  if (entry === undefined) throw new Error(`there is no migration ${needed}`);
  return `comment on table drizzle.__drizzle_migrations is 'A program has to know migration ${needed} [${entry.when}] to use this database'`;
}

/** @param place the database, for the message
 *  @throws SchemaAhead if the database has a migration that this program does not know, and would have to */
export function checkUsable(schema: DatabaseSchema, place: string): void {
  const knownMs = newestKnownMigrationMs();
  if (schema.newestMs <= knownMs || schema.neededMs <= knownMs) return;
  throw new SchemaAhead(
    `${place} was migrated by a newer version of this program, which this version would damage: start the newer version, or ` +
      "restore the backup from before the migration (docs/operations.md, Upgrade, and the way back)",
  );
}
