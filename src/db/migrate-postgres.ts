import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import { SchemaBehind } from "../domain/errors.ts";
import type { PostgresClient } from "./postgres-client.ts";
import type { PostgresConnection } from "./postgres-connection.ts";

const migrationsFolder = `${import.meta.dir}/../../drizzle`;
/** Any number, the same for every process of this program. */
const lockKey = 7_165_201_384;
/** Another process may be moving a large history; whoever waits longer for it, or for a table, says so. */
const lockTimeoutMs = 5 * 60_000;
const migrationTimeoutMs = 3 * lockTimeoutMs;

/** Brings the database's schema up to date, wholly or not at all; of several processes that start at once, one does it
 *  and the others wait.
 *  @throws StoreUnavailable, StoreRejected (rights are missing) */
export async function migratePostgres(client: PostgresClient): Promise<void> {
  await client.withConnection(migrationTimeoutMs, (connection) =>
    connection.transaction(async () => {
      await connection.query(`set local lock_timeout = ${lockTimeoutMs}`);
      // of the transaction, not of the session: it ends with it, also behind a pooler that lends sessions
      await connection.query(`select pg_advisory_xact_lock(${lockKey})`);
      await migrate(drizzle(withinTransaction(connection)), { migrationsFolder });
    }),
  );
}

/** @throws SchemaBehind when a migration has not been run, StoreUnavailable */
export async function checkSchema(client: PostgresClient): Promise<void> {
  const newestMs = Math.max(...readMigrationFiles({ migrationsFolder }).map(({ folderMillis }) => folderMillis));
  const tables = await client.query("select 1 where to_regclass('drizzle.__drizzle_migrations') is not null");
  const [migrated] =
    tables.length === 0
      ? []
      : await client.query<{ newestMs: number | null }>(
          `select max(created_at)::float8 as "newestMs" from drizzle.__drizzle_migrations`,
        );
  if ((migrated?.newestMs ?? 0) >= newestMs) return;
  throw new SchemaBehind(
    `${client.description} has an older schema than this program: start one process with MIGRATE_ON_START=true`,
  );
}

/** drizzle begins a transaction for the migrations, after it has made its own table: here both belong to ours. */
function withinTransaction({ sql }: PostgresConnection): PostgresConnection["sql"] {
  const begin = (work: (transaction: typeof sql) => unknown): unknown => work(sql);
  return Object.assign(sql, { begin }) as typeof sql;
}
