import journal from "../../drizzle/meta/_journal.json";
import type { SqlExecutor } from "./client.ts";
import { contractions, oldestOfRule } from "./contractions.ts";
import { SchemaAhead } from "../domain/errors.ts";
import { literal } from "./session-settings.ts";

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

/** The journal of most databases: the table that says which migrations there are, as SQL names it. */
export const usualJournal = "drizzle.__drizzle_migrations";

/** SQL expressions for the names of journals: one in the schema of the tables, and the one that exists; null if none does. The usual journal
 *  counts only if the tables exist: another program may have made it. */
const ownJournal = "format('%I.__drizzle_migrations', current_schema())";
export const presentJournal = `case when to_regclass(${ownJournal}) is not null then ${ownJournal}
  when to_regclass('gpus') is null then null
  when to_regclass('${usualJournal}') is not null then '${usualJournal}' end`;

/** An SQL expression: the newest migration of the database. */
export function newestMigrationMs(journal: string): string {
  return `(select max(created_at)::float8 from ${journal})`;
}

/** An SQL expression: the newest migration that a program has to know. A program from before the rule about migrations leaves no comment:
 *  then all have to be known. */
export function neededMigrationMs(journal: string): string {
  return `coalesce(
  substring(obj_description(${literal(journal)}::regclass, 'pg_class') from '\\[(\\d+)\\]')::float8, ${newestMigrationMs(journal)})`;
}

/** Reads what the database's migrations say. */
export async function readSchema(executor: SqlExecutor): Promise<DatabaseSchema> {
  const none = { newestMs: 0, neededMs: 0 };
  const [found] = await executor.query<{ journal: string | null }>(`select ${presentJournal} as journal`);
  if (!found?.journal) return none;
  const [row] = await executor.query<{ newestMs: number | null; neededMs: number | null }>(
    `select ${newestMigrationMs(found.journal)} as "newestMs", ${neededMigrationMs(found.journal)} as "neededMs"`,
  );
  return row === undefined ? none : { newestMs: row.newestMs ?? 0, neededMs: row.neededMs ?? 0 };
}

/** Makes the journal, unless there is one. A role that may not create schemas gets it among the tables, and so does one that finds
 *  the usual schema, which is then that of others. The form is that of drizzle, which migrates the embedded store.
 *  @returns its name */
export async function ensureJournal(executor: SqlExecutor): Promise<string> {
  const [row] = await executor.query<{ present: string | null; own: string; isUsual: boolean }>(
    `select ${presentJournal} as present, ${ownJournal} as own,
      has_database_privilege(current_database(), 'create')
        and not exists (select from pg_namespace where nspname = 'drizzle') as "isUsual"`,
  );
  if (row === undefined) throw new Error("selecting the journal returned no row");
  if (row.present !== null) return row.present;
  if (row.isUsual) await executor.query("create schema drizzle");
  const journal = row.isUsual ? usualJournal : row.own;
  await executor.query(`create table ${journal} (id serial primary key, hash text not null, created_at bigint)`);
  return journal;
}

/** A statement that says in the database which migration a program has to know from now on. It belongs to the transaction that migrates,
 *  or before it: before the migration, programs that do not know it still may use the database.
 *  @param table the journal, as SQL names it */
export function noteNeeded(table: string): string {
  const needed = contractions.at(-1)?.needs ?? oldestOfRule;
  const entry = journal.entries.find(({ tag }) => tag === needed);
  if (entry === undefined) throw new Error(`there is no migration ${needed}`);
  return `comment on table ${table} is 'A program has to know migration ${needed} [${entry.when}] to use this database'`;
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
