import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { PGlite } from "@electric-sql/pglite";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { migrationsFolder } from "../../src/db/migrations.ts";

// The migration that undoes what a database has of TimescaleDB's community edition. No server with that licence can be had here: the
// views and functions that the migration reads and calls are stand-ins with TimescaleDB's names. test/db/postgres-migrations.test.ts
// checks that a server with the other licence knows the statements.

const migrations = readMigrationFiles({ migrationsFolder }).map(({ sql }) => sql);
const plainHistory = migrations.findIndex((statements) => statements.some((text) => text.includes("steps_to_plain")));
const [makeSteps = "", ...undo] = migrations[plainHistory] ?? [];

const standIns = `
  create schema "time scale";
  insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    values (99999, 'timescaledb', 10, '"time scale"'::regnamespace, false, '2.19.3');
  set timescaledb.license = 'timescale';
  create table called (place int generated always as identity, call text);
  create function "time scale".remove_continuous_aggregate_policy(
    continuous_aggregate regclass, if_not_exists bool = false, if_exists bool = null) returns void
    begin atomic; insert into public.called (call) values ('no policy of ' || continuous_aggregate); end;
  create function "time scale".remove_compression_policy(hypertable regclass, if_exists bool = false) returns bool
    begin atomic; insert into public.called (call) values ('no policy of ' || hypertable); select true; end;
  create function "time scale".decompress_chunk(uncompressed_chunk regclass, if_compressed bool = true) returns regclass
    begin atomic; insert into public.called (call) values ('rows in ' || uncompressed_chunk); select uncompressed_chunk; end;
  create schema timescaledb_information;
  create table timescaledb_information.continuous_aggregates (view_schema name, view_name name);
  create table timescaledb_information.hypertables (hypertable_schema name, hypertable_name name, compression_enabled bool);
  create table timescaledb_information.chunks (hypertable_schema name, hypertable_name name, chunk_schema name, chunk_name name,
    range_start timestamptz, is_compressed bool);
  insert into timescaledb_information.hypertables values ('public', 'telemetry', false), ('elsewhere', 'telemetry', true);
  insert into timescaledb_information.continuous_aggregates values ('elsewhere', 'telemetry_1m');
`;
const continuousRollups = `
  drop view telemetry_1m, telemetry_1h;
  create materialized view telemetry_1m as select 1 as records;
  create materialized view telemetry_1h as select 1 as records;
  insert into timescaledb_information.continuous_aggregates values ('public', 'telemetry_1m'), ('public', 'telemetry_1h');
`;
const compressedChunks = `
  update timescaledb_information.hypertables set compression_enabled = true;
  create table "a chunk" (); create table _hyper_1_2_chunk ();
  insert into timescaledb_information.chunks values
    ('public', 'telemetry', 'public', '_hyper_1_2_chunk', '2025-07-19', true),
    ('public', 'telemetry', 'public', 'a chunk', '2025-07-18', true),
    ('public', 'telemetry', 'public', '_hyper_1_3_chunk', '2025-07-20', false),
    ('elsewhere', 'telemetry', 'public', '_hyper_1_4_chunk', '2025-07-18', true),
    ('public', 'of_others', 'public', '_hyper_1_5_chunk', '2025-07-18', true);
`;

/** The database as it was before the migration; each test changes it in a transaction that is rolled back. */
let database: PGlite;
beforeAll(async () => {
  database = await PGlite.create();
  for (const statement of migrations.slice(0, plainHistory).flat()) await database.exec(statement);
}, 60_000);
beforeEach(() => database.exec("begin"));
afterEach(() => database.exec("rollback"));
afterAll(() => database.close());

const rowsOf = async (text: string): Promise<unknown[]> =>
  (await database.query(text, [], { rowMode: "array" })).rows.flat();

async function steps(): Promise<unknown[]> {
  await database.exec(`savepoint before; ${makeSteps}`);
  const found = await rowsOf("select steps_to_plain_history()");
  await database.exec("rollback to before");
  return found;
}

async function migrate(): Promise<void> {
  for (const statement of [makeSteps, ...undo]) await database.exec(statement);
}

const rollups = (): Promise<unknown[]> =>
  rowsOf("select relname from pg_class where relname in ('telemetry_1m', 'telemetry_1h')");
const functions = (): Promise<unknown[]> =>
  rowsOf("select proname from pg_proc where proname ~ 'rollups|plain_history'");

test("a database without TimescaleDB loses its views and the functions that made them", async () => {
  await migrate();
  expect([await rollups(), await functions()]).toEqual([[], []]);
});

test("continuous aggregates, policies and compressed chunks are undone, the oldest chunk first, and those of others stay", async () => {
  await database.exec(standIns + continuousRollups + compressedChunks);
  expect(await steps()).toEqual([
    `SELECT "time scale".remove_continuous_aggregate_policy('public.telemetry_1m', if_exists => true)`,
    "DROP MATERIALIZED VIEW public.telemetry_1m",
    `SELECT "time scale".remove_continuous_aggregate_policy('public.telemetry_1h', if_exists => true)`,
    "DROP MATERIALIZED VIEW public.telemetry_1h",
    `SELECT "time scale".remove_compression_policy('public.telemetry', if_exists => true)`,
    `SELECT "time scale".decompress_chunk('public."a chunk"', true)`,
    `SELECT "time scale".decompress_chunk('public._hyper_1_2_chunk', true)`,
    "ALTER TABLE public.telemetry SET (timescaledb.compress = false)",
  ]);
});

test("the steps are executed in their order, each once", async () => {
  await database.exec(standIns + continuousRollups + compressedChunks);
  // PostgreSQL itself does not know the setting of the last step
  const withoutSetting = [makeSteps, ...undo].map((text) =>
    text.replace("SET (timescaledb.compress = false)", "RESET (autovacuum_enabled)"),
  );
  for (const statement of withoutSetting) await database.exec(statement);
  expect(await rowsOf("select call from called order by place")).toEqual([
    "no policy of telemetry_1m",
    "no policy of telemetry_1h",
    "no policy of telemetry",
    'rows in "a chunk"',
    "rows in _hyper_1_2_chunk",
  ]);
  expect([await rollups(), await functions()]).toEqual([[], []]);
});

test("with TimescaleDB's other licence, only the views are dropped", async () => {
  await database.exec(standIns);
  expect(await steps()).toEqual(["DROP VIEW IF EXISTS public.telemetry_1m", "DROP VIEW IF EXISTS public.telemetry_1h"]);
  await migrate();
  expect([await rollups(), await functions(), await rowsOf("select call from called")]).toEqual([[], [], []]);
});

test("if the licence was changed after chunks were compressed, the error says which one has to hold, and nothing is changed", async () => {
  await database.exec(standIns + continuousRollups + compressedChunks);
  await database.exec(`
    create or replace function "time scale".decompress_chunk(uncompressed_chunk regclass, if_compressed bool = true) returns regclass
    language plpgsql as $$ begin raise exception 'not supported under the current "apache" license' using errcode = '0A000'; end $$`);
  await database.exec(makeSteps);
  await database.exec("savepoint before");
  const error = await database.exec(undo[0] ?? "").catch((cause: unknown) => cause);
  await database.exec("rollback to before");
  expect(String(error)).toMatch(
    /"apache" license \(SELECT "time scale"\.decompress_chunk.*set timescaledb\.license = timescale/,
  );
  expect(await rollups()).toHaveLength(2);
});
