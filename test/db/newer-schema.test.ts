import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { startPipeline } from "../../dev/pipeline-process.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import type { SqlExecutor } from "../../src/db/client.ts";
import { newestKnownMigrationMs } from "../../src/db/migrations.ts";
import { openPGliteClient } from "../support/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { openLatePostgresStore, openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// A newer version has migrated the database: it has a migration that this program does not know.

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
let folder: string;
beforeAll(async () => {
  server = await provideDatabase();
  folder = await mkdtemp(join(tmpdir(), "telemetry-newer-"));
}, 300_000);
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const addNewerMigration = (executor: SqlExecutor): Promise<unknown> =>
  executor.query("insert into drizzle.__drizzle_migrations (hash, created_at) values ('newer', $1)", [
    newestKnownMigrationMs() + 1,
  ]);
const message = (id: string) =>
  messageOf(id, makeBatch([{ uuid: id, timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 1 } }]));
const refusal = /was migrated by a newer version of this program.*: start the newer version, or restore the backup/;

test("a PostgreSQL that a newer version has migrated is refused with a sentence that says what to do", async () => {
  const url = await createDatabase(server, "newer");
  await (await openPostgresStore({ url, migrate: true })).close();
  await withClient(url, addNewerMigration);
  const parts = { clock: new ManualClock(), log: unshownLog() };
  for (const migrate of [true, false]) {
    const late = () => openLatePostgresStore({ url, migrate }, parts);
    for (const open of [() => openPostgresStore({ url, migrate }), late]) {
      await expect(open()).rejects.toMatchObject({
        code: "schema_ahead",
        retryable: false,
        message: expect.stringMatching(refusal) as string,
      });
    }
  }
});

test("a collector that runs while a newer version migrates stores nothing more, and its messages wait", async () => {
  const url = await createDatabase(server, "meanwhile");
  const { store, queries, close } = await openPostgresStore({ url, migrate: true });
  await store.ingest(message("before"));
  await withClient(url, addNewerMigration);
  await expect(store.ingest(message("after"))).rejects.toMatchObject({
    retryable: true,
    message: expect.stringContaining("this program is older than the schema of its database") as string,
  });
  expect((await queries.fleet.gpus({})).map(({ uuid }) => uuid)).toEqual(["before"]);
  await close();
});

test("an embedded store that a newer version has migrated stays as it is, and the program exits 1 with the reason", async () => {
  const dataDir = join(folder, "data");
  await (await openPGliteStore({ dataDir })).close();
  const client = await openPGliteClient(join(dataDir, "pglite"));
  await addNewerMigration(client);
  await client.close();
  for (const role of ["all", "gateway"]) {
    const { subprocess, output } = startPipeline({ DATA_DIR: dataDir, ROLE: role, LOG_LEVEL: "warn" });
    expect([role, await subprocess.exited]).toEqual([role, 1]);
    expect(output()).toMatch(refusal);
    expect(output()).not.toContain("    at ");
  }
});
