import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { createDatabase, databaseOf, withClient } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);

/** Roles belong to the whole server, so each run has its own. */
const run = crypto.randomUUID().slice(0, 8);
const [owner, guest] = [`owner_${run}`, `guest_${run}`];
/** Databases in which these roles own something. They are dropped before the roles, as PostgreSQL requires. */
const databases: string[] = [];
afterAll(async () => {
  await withClient(server.url, async (client) => {
    for (const url of databases) await client.query(`drop database ${databaseOf(url)} with (force)`);
    for (const role of [owner, guest]) await client.query(`drop role if exists ${role}`);
  });
  await server.stop();
});

const createRole = (name: string): Promise<unknown> =>
  withClient(server.url, (client) => client.query(`create role ${name} login password '${run}'`));

/** The URL of a database, for a role that `createRole` made. */
function asRole(name: string, database: string): string {
  const url = new URL(database);
  url.username = name;
  url.password = run;
  return url.href;
}

const migrations = readMigrationFiles({ migrationsFolder: `${import.meta.dir}/../../drizzle` });

const containing = (text: string): unknown => expect.stringContaining(text);

/** The hypertables of a database; undefined without TimescaleDB. */
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

test("replicas that start at the same time migrate only once, and a later start changes nothing", async () => {
  const url = await createDatabase(server, "replicas");
  await Promise.all([1, 2, 3, 4].map(() => migrate(url)));
  await migrate(url);
  const applied = await withClient(url, (client) => client.query("select from drizzle.__drizzle_migrations"));
  expect(applied).toHaveLength(migrations.length);
});

test("a process whose database is up to date starts although another process holds the lock for migrations", async () => {
  const url = await createDatabase(server, "locked");
  await migrate(url);
  await withClient(url, async (client) => {
    await client.query("select pg_advisory_lock(7165201384)");
    await migrate(url);
  });
});

test("if the program may not migrate, a database without the schema is an error that names MIGRATE_ON_START", async () => {
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

test("a migration that fails leaves no drizzle schema behind, and its error has the reason", async () => {
  const url = await createDatabase(server, "half");
  await withClient(url, (client) => client.query("create table telemetry (mine int)"));
  await expect(openPostgresStore({ url, migrate: true })).rejects.toMatchObject({
    code: "store_unavailable",
    message: containing('relation "telemetry" already exists'),
  });
  const schemas = await withClient(url, (client) => client.query("select from pg_namespace where nspname = 'drizzle'"));
  expect(schemas).toEqual([]);
});

test("TimescaleDB makes telemetry a hypertable, even in another schema, or for a user who only owns the database", async () => {
  await createRole(owner);
  const owned = await createDatabase(server, "owned");
  databases.push(owned);
  await withClient(server.url, (client) => client.query(`alter database ${databaseOf(owned)} owner to ${owner}`));
  await migrate(asRole(owner, owned));
  expect(await hypertables(owned)).toEqual([{ name: "telemetry" }]);

  const elsewhere = await createDatabase(server, "elsewhere");
  await withClient(elsewhere, (client) =>
    client.query("create schema other; create extension timescaledb schema other"),
  );
  await migrate(elsewhere);
  expect(await hypertables(elsewhere)).toEqual([{ name: "telemetry" }]);
});

test("telemetry is a plain table if TimescaleDB is switched off or not permitted", async () => {
  const plain = await createDatabase(server, "plain", { plain: true });
  await migrate(plain);
  expect(await hypertables(plain)).toBeUndefined();

  await createRole(guest);
  const unprivileged = await createDatabase(server, "unprivileged");
  databases.push(unprivileged);
  await withClient(unprivileged, (client) => client.query(`grant create on schema public to ${guest}`));
  await withClient(asRole(guest, unprivileged), async (client) => {
    for (const statement of migrations.flatMap(({ sql }) => sql)) await client.query(statement);
  });
  expect(await hypertables(unprivileged)).toBeUndefined();
});

test("bun run db:migrate brings a database up to date and describes the database, or fails without DATABASE_URL", async () => {
  const runCommand = async (env: Record<string, string>) => {
    const root = `${import.meta.dir}/../..`;
    const subprocess = Bun.spawn(["bun", "run", "db:migrate"], {
      cwd: root,
      env: { ...process.env, ...env },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, errors] = await Promise.all([
      new Response(subprocess.stdout).text(),
      new Response(subprocess.stderr).text(),
    ]);
    return { code: await subprocess.exited, output, errors };
  };
  const url = await createDatabase(server, "by_command");
  const done = await runCommand({ DATABASE_URL: url });
  expect<unknown[]>([done.code, done.output]).toEqual([0, containing("TimescaleDB")]);
  expect(done.output).toContain("; hypertable");
  expect(await hypertables(url)).toEqual([{ name: "telemetry" }]);
  const plain = await runCommand({ DATABASE_URL: await createDatabase(server, "by_command_plain", { plain: true }) });
  expect<unknown[]>([plain.code, plain.output]).toEqual([0, containing("up to date: PostgreSQL 17")]);
  const missing = await runCommand({ DATABASE_URL: "" });
  expect<unknown[]>([missing.code, missing.errors]).toEqual([1, containing("DATABASE_URL is not set")]);
});

test("TimescaleDB knows the statements that undo its community edition, and refuses them because of the licence", async () => {
  const url = await createDatabase(server, "licence");
  await migrate(url);
  await withClient(url, (client) => client.query("insert into telemetry (gpu_key, time) values (1, '2025-07-18')"));
  const chunk = "(select chunk_schema || '.' || chunk_name from timescaledb_information.chunks)::regclass";
  const refused = [
    "select remove_continuous_aggregate_policy('telemetry', if_exists => true)",
    "select remove_compression_policy('public.telemetry', if_exists => true)",
    `select decompress_chunk(${chunk}, true)`,
    "alter table public.telemetry set (timescaledb.compress = false)",
  ];
  for (const statement of refused) {
    const error = await withClient(url, (client) => client.query(statement)).catch((cause: unknown) => cause);
    expect(String(error)).toContain('"apache" license');
  }
  const known = await withClient(url, (client) =>
    client.query(`select
      (select count(*)::int from timescaledb_information.continuous_aggregates where view_schema = 'public' and view_name <> '') as aggregates,
      (select bool_or(compression_enabled) from timescaledb_information.hypertables where hypertable_schema = 'public') as enabled,
      (select bool_or(is_compressed) from timescaledb_information.chunks where hypertable_schema = 'public' and range_start < now()) as compressed`),
  );
  expect(known).toEqual([{ aggregates: 0, enabled: false, compressed: false }]);
});
