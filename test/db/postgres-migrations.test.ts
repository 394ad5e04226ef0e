import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { type PostgresServer, startPostgres } from "../../scripts/services/postgres.ts";
import { openPostgresStore } from "../../src/pipeline/store/open-postgres-store.ts";
import { createDatabase, urlOf, withClient } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: PostgresServer;
beforeAll(async () => void (server = await startPostgres()), 300_000);
afterAll(() => server.stop());

const migrations = readMigrationFiles({ migrationsFolder: `${import.meta.dir}/../../drizzle` });

const containing = (text: string): unknown => expect.stringContaining(text);

/** Undefined where there is no TimescaleDB. */
const hypertables = (url: string): Promise<unknown[] | undefined> =>
  withClient(url, async (client) => {
    const extensions = await client.query("select from pg_extension where extname = 'timescaledb'");
    if (extensions.length === 0) return undefined;
    return client.query("select hypertable_name as name from timescaledb_information.hypertables");
  });

async function migrate(url: string): Promise<void> {
  const { close } = await openPostgresStore({ url, migrate: true });
  await close();
}

test("replicas that start at once migrate once, and a second start changes nothing", async () => {
  const url = await createDatabase(server, "replicas");
  await Promise.all([1, 2, 3, 4].map(() => migrate(url)));
  await migrate(url);
  const noted = await withClient(url, (client) => client.query("select from drizzle.__drizzle_migrations"));
  expect(noted).toHaveLength(migrations.length);
});

test("without the right to migrate, an older schema is an error that says what to do", async () => {
  const url = await createDatabase(server, "behind");
  const open = () => openPostgresStore({ url, migrate: false });
  await expect(open()).rejects.toMatchObject({
    code: "schema_behind",
    retryable: false,
    message: containing("MIGRATE_ON_START=true"),
  });
  await migrate(url);
  await (await open()).close();
});

test("a migration that fails leaves nothing behind, and says why", async () => {
  const url = await createDatabase(server, "half");
  await withClient(url, (client) => client.query("create table telemetry (mine int)"));
  await expect(openPostgresStore({ url, migrate: true })).rejects.toMatchObject({
    code: "store_unavailable",
    message: containing('relation "telemetry" already exists'),
  });
  const schemas = await withClient(url, (client) => client.query("select from pg_namespace where nspname = 'drizzle'"));
  expect(schemas).toEqual([]);
});

test("telemetry is a hypertable where TimescaleDB is loaded, also for the database's owner and in any schema", async () => {
  await withClient(server.url, (client) => client.query("create role owner login"));
  await createDatabase(server, "owned");
  await withClient(server.url, (client) => client.query("alter database owned owner to owner"));
  await migrate(urlOf(server, "owned", "owner"));
  expect(await hypertables(urlOf(server, "owned"))).toEqual([{ name: "telemetry" }]);

  const elsewhere = await createDatabase(server, "elsewhere");
  await withClient(elsewhere, (client) =>
    client.query("create schema other; create extension timescaledb schema other"),
  );
  await migrate(elsewhere);
  expect(await hypertables(elsewhere)).toEqual([{ name: "telemetry" }]);
});

test("telemetry is a plain table where TimescaleDB is switched off or may not be used", async () => {
  const plain = await createDatabase(server, "plain", { plain: true });
  await migrate(plain);
  expect(await hypertables(plain)).toBeUndefined();

  await withClient(server.url, (client) => client.query("create role guest login"));
  const rightless = await createDatabase(server, "rightless");
  await withClient(rightless, (client) => client.query("grant create on schema public to guest"));
  await withClient(urlOf(server, "rightless", "guest"), async (client) => {
    for (const statement of migrations.flatMap(({ sql }) => sql)) await client.query(statement);
  });
  expect(await hypertables(rightless)).toBeUndefined();
});
