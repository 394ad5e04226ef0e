import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import { SchemaBehind, StoreUnavailable } from "../domain/errors.ts";
import type { PostgresClient } from "./postgres-client.ts";

const migrationsFolder = `${import.meta.dir}/../../drizzle`;
/** Any number, the same for every process of this program. */
const lockKey = 7_165_201_384;
/** A migration of a large history may take long; whoever waits for it says so in time. */
const lockTimeout = "5min";

/** Brings the database's schema up to date; of several processes that start at once, one does it and the others wait.
 *  @throws StoreUnavailable */
export async function migratePostgres(client: PostgresClient): Promise<void> {
  await client.withConnection(async (sql) => {
    await sql.unsafe(`set lock_timeout = '${lockTimeout}'`);
    await sql.unsafe(`select pg_advisory_lock(${lockKey})`);
    await migrate(drizzle(sql), { migrationsFolder });
  });
}

/** @throws SchemaBehind when a migration has not been run, StoreUnavailable */
export async function checkSchema(client: PostgresClient): Promise<void> {
  const newest = Math.max(...readMigrationFiles({ migrationsFolder }).map(({ folderMillis }) => folderMillis));
  const [table] = await client.query<{ exists: boolean }>(
    "select to_regclass('drizzle.__drizzle_migrations') is not null as exists",
  );
  if (table === undefined) throw new StoreUnavailable(`${client.description} did not answer`);
  const [row] = table.exists
    ? await client.query<{ newest: number }>(
        "select coalesce(max(created_at), 0)::float8 as newest from drizzle.__drizzle_migrations",
      )
    : [];
  if ((row?.newest ?? 0) >= newest) return;
  throw new SchemaBehind(
    `${client.description} has an older schema than this program: start one process with MIGRATE_ON_START=true`,
  );
}
