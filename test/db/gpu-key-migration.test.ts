import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import { migrate as migratePGlite } from "drizzle-orm/pglite/migrator";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { migrate as migratePostgres } from "drizzle-orm/postgres-js/migrator";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { clientOf, createDatabase, withClient } from "../support/postgres-database.ts";

// Stores from before the migration that derives a GPU's key from its uuid: their keys are numbers that the database counted.

setDefaultTimeout(60_000);

/** The migrations up to 0004, in a folder of their own. */
let folder: string;
let server: ProvidedDatabase;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telemetry-migrations-"));
  const all = `${import.meta.dir}/../../drizzle`;
  await cp(all, folder, { recursive: true });
  const file = join(folder, "meta/_journal.json");
  const journal = JSON.parse(await readFile(file, "utf8")) as { entries: { idx: number }[] };
  await writeFile(file, JSON.stringify({ ...journal, entries: journal.entries.filter(({ idx }) => idx <= 4) }));
  server = await provideDatabase();
}, 300_000);
afterAll(async () => {
  await rm(folder, { recursive: true });
  await server.stop();
});

const uuids = ["GPU-b", "GPU-a", "GPÜ-💥"];
const t0 = Date.UTC(2025, 6, 18, 20);

/** Each GPU has three records an hour apart, whose power is its number and the hour; the second GPU moves after the first. The
 *  last statement is what a failover once left behind: a record whose key no GPU has. */
const oldContent = [
  ...uuids.map(
    (uuid) => `insert into gpus (uuid, cluster_id, hostname, gpu_id, device, model_name, driver_version, properties,
      first_seen_at, last_seen_at)
      values ('${uuid}', 'c', 'host-a', 0, 'nvidia0', 'H100', '535', '{}', '2025-07-18 20:00Z', '2025-07-18 22:00Z')`,
  ),
  `insert into telemetry (gpu_key, time, power_draw, namespace)
   select k, '2025-07-18 20:00Z'::timestamptz + h * interval '1 hour', k * 10 + h, 'ns' || k
   from generate_series(1, 3) k, generate_series(0, 2) h`,
  `insert into gpu_attributes select gpu_key, first_seen_at, cluster_id, hostname, gpu_id, device, model_name, driver_version,
   properties from gpus`,
  `insert into gpu_attributes select gpu_key, '2025-07-18 21:00Z', cluster_id, 'host-b', gpu_id, device, model_name,
   driver_version, properties from gpus where gpu_key = 2`,
  `insert into gpu_workloads select gpu_key, first_seen_at, '', '', 'ns' || gpu_key from gpus`,
  `insert into telemetry (gpu_key, time, power_draw) values (99, '2025-07-18 20:00Z', 99)`,
  `insert into ingested_messages (message_id, idempotency_key, source_id, from_offset, from_line, to_offset, to_line, rows,
   samples, missing, duplicates, blank_lines, repeated_headers, rejected)
   values ('old', 'key of old', 'source', 0, 0, 10, 10, 9, 9, 0, 0, 0, 0, '{}')`,
];

/** Makes an older database in the folder of a PGlite store. */
async function makeOldPGlite(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const database = await PGlite.create(join(dataDir, "pglite"));
  await migratePGlite(drizzle(database), { migrationsFolder: folder });
  for (const statement of oldContent) await database.query(statement);
  await database.close();
}

async function makeOldPostgres(url: string): Promise<void> {
  const client = clientOf(url);
  await client.withConnection(60_000, (connection) =>
    migratePostgres(drizzlePostgres(connection.sql), { migrationsFolder: folder }),
  );
  for (const statement of oldContent) await client.query(statement);
  await client.close();
}

async function checkAnswers({ queries, store }: OpenStore): Promise<void> {
  const { elements } = await queries.history.records({ gpus: {}, range: allTime, limit: 100 });
  const found = elements.map(({ gpu, timeMs, metrics }) => [gpu.uuid, gpu.hostname, timeMs, metrics.power_draw]);
  const expected = [0, 1, 2].flatMap((hour) =>
    uuids.map((uuid, index) => {
      const hostname = index === 1 && hour > 0 ? "host-b" : "host-a";
      return [uuid, hostname, t0 + hour * 3_600_000, (index + 1) * 10 + hour];
    }),
  );
  expect(found.sort()).toEqual(expected.sort());
  for (const [index, uuid] of uuids.entries()) {
    const changes = await queries.fleet.changes({ uuid, range: allTime });
    expect(changes.workloads.map(({ occupants }) => occupants[0]?.namespace)).toEqual([`ns${index + 1}`]);
    expect(changes.attributes).toHaveLength(index === 1 ? 2 : 1);
  }
  const rollups = await queries.history.rollups({ gpus: { uuids: ["GPU-a"] }, range: allTime, limit: 9 }, "1h");
  expect(rollups.elements.map(({ metrics }) => metrics.power_draw?.avg)).toEqual([20, 21, 22]);
  // the earlier messages are still known, and a record of an existing GPU merges with its earlier samples
  const more = makeBatch([{ uuid: "GPU-b", timeMs: t0, metrics: { temperature: 7 }, hostname: "host-a" }]);
  expect(await store.ingest({ ...messageOf("old", more) })).toMatchObject({ duplicate: true });
  expect(await store.ingest(messageOf("new", more))).toEqual({
    duplicate: false,
    recordsInserted: 0,
    recordsMerged: 1,
    conflicts: 0,
    rejected: {},
    contested: [],
  });
  const merged = await queries.history.records({ gpus: { uuids: ["GPU-b"] }, range: allTime, limit: 9 });
  expect(merged.elements[0]?.metrics).toEqual({ power_draw: 10, temperature: 7 });
  await checkOldReports({ queries, store });
}

/** The earlier records do not say what they report: their GPU's attributes at their instant count. */
async function checkOldReports({ queries, store }: Pick<OpenStore, "queries" | "store">): Promise<void> {
  const at = (hour: number, more: object) =>
    makeBatch([{ uuid: "GPU-b", timeMs: t0 + hour * 3_600_000, metrics: { temperature: 8 }, clusterId: "c", ...more }]);
  await store.ingest(messageOf("open", at(2, { driverVersion: "", modelName: "", properties: { rack: "r1" } })));
  await store.ingest(messageOf("cloned", at(1, { hostname: "host-b" })));
  const { elements } = await queries.history.records({ gpus: { uuids: ["GPU-b"] }, range: allTime, limit: 9 });
  expect(elements.map(({ metrics, gpu }) => [metrics.temperature, gpu.hostname, gpu.driverVersion])).toEqual([
    [7, "host-a", "535"],
    [undefined, "host-a", "535"],
    [8, "host-a", "535"],
  ]);
  expect(await queries.fleet.gpus({ uuids: ["GPU-b"] })).toMatchObject([
    { modelName: "H100", properties: { rack: "r1" } },
  ]);
  expect(await queries.quarantine.countRejections()).toEqual({ uuid_on_two_hosts: 1 });
}

test("an embedded store with counted keys opens with the same answers", async () => {
  const dataDir = join(folder, "data");
  await makeOldPGlite(dataDir);
  const opened = await openPGliteStore({ dataDir });
  await checkAnswers(opened);
  await opened.close();
  const again = await openPGliteStore({ dataDir });
  expect(await again.queries.aggregates.countRecords("c")).toMatchObject({ count: 9 });
  await again.close();
});

for (const [name, options] of [
  ["PostgreSQL", { plain: true }],
  ["TimescaleDB", {}],
] as const) {
  test(`a database with counted keys in ${name} opens with the same answers, each GPU under the key of its uuid`, async () => {
    const url = await createDatabase(server, `old_${name.toLowerCase()}`, options);
    await makeOldPostgres(url);
    const opened = await openPostgresStore({ url, migrate: true });
    await checkAnswers(opened);
    await opened.close();
    const keys = await withClient(url, (client) =>
      client.query<{ uuid: string; key: string }>("select uuid, gpu_key::text as key from gpus order by uuid"),
    );
    expect(keys).toEqual([...uuids].sort().map((uuid) => ({ uuid, key: String(gpuKeyOf(uuid)) })));
  });
}

test("a program from before the migration stores nothing in a migrated database, and its error can be repeated", async () => {
  const url = await createDatabase(server, "older_program", { plain: true });
  await (await openPostgresStore({ url, migrate: true })).close();
  await withClient(url, async (client) => {
    await expect(client.query(oldContent.at(-1) as string)).rejects.toMatchObject({
      code: "store_unavailable",
      retryable: true,
      message: expect.stringContaining("older than the schema") as string,
    });
  });
});

test("a database from before the migration refuses a newer program's message with a retryable error", async () => {
  const url = await createDatabase(server, "older_database", { plain: true });
  await (await openPostgresStore({ url, migrate: true })).close();
  const opened = await openPostgresStore({ url, migrate: false });
  await withClient(url, async (client) => {
    await client.query("drop schema public cascade");
    await client.query("create schema public");
  });
  await withClient(url, (client) => client.query("drop schema drizzle cascade"));
  await makeOldPostgres(url);
  await expect(
    opened.store.ingest(messageOf("m", makeBatch([{ uuid: "GPU-a", timeMs: t0, metrics: {} }]))),
  ).rejects.toMatchObject({
    code: "store_unavailable",
    message: expect.stringContaining("MIGRATE_ON_START") as string,
  });
  await opened.close();
});
