import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { PGlite } from "@electric-sql/pglite";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { startPipeline } from "../../dev/pipeline-process.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import type { SqlExecutor } from "../../src/db/client.ts";
import { neededMigrationMs, newestKnownMigrationMs, usualJournal } from "../../src/db/migrations.ts";
import type { DatabaseChange } from "../../src/pipeline/store/database-change.ts";
import type { HistorySettling } from "../../src/pipeline/store/history-settling.ts";
import { openPGliteClient } from "../support/open-store.ts";
import { openLatePostgresStore, openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

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
/** As a newer version does whose migration takes away what this program uses. */
const takeAway = async (executor: SqlExecutor): Promise<void> => {
  await addNewerMigration(executor);
  await executor.query(
    `comment on table drizzle.__drizzle_migrations is 'A program has to know migration x [${newestKnownMigrationMs() + 1}]'`,
  );
};
const message = (id: string, hour = 0) =>
  messageOf(id, makeBatch([{ uuid: id, timeMs: Date.UTC(2025, 6, 18, hour), metrics: { temperature: 1 } }]));
const refusal = /was migrated by a newer version of this program.*: start the newer version, or restore the backup/;

test("a PostgreSQL that a newer version has migrated is refused with a sentence that says what to do", async () => {
  const url = await createDatabase(server, "newer");
  await (await openPostgresStore({ url, migrate: true })).close();
  await withClient(url, takeAway);
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
  await withClient(url, takeAway);
  await expect(store.ingest(message("after"))).rejects.toMatchObject({
    retryable: true,
    message: expect.stringContaining("this program is older than the schema of its database") as string,
  });
  expect((await queries.fleet.gpus({})).map(({ uuid }) => uuid)).toEqual(["before"]);
  await close();
});

test("a collector goes on storing in a database to which a newer version has only added, and settles nothing", async () => {
  const url = await createDatabase(server, "added_to");
  const changes: string[] = [];
  const onChange = ({ kind, text }: DatabaseChange): number => changes.push(`${kind}: ${text}`);
  const { store, settling, close } = await openPostgresStore({ url, migrate: true, onChange });
  await store.ingest(message("settled"));
  expect(await settleDue(settling)).toEqual(["settled"]);
  await withClient(url, async (client) => {
    await client.query("alter table blocks add column newer bytea");
    await addNewerMigration(client);
  });
  for (const id of ["after", "again"]) await store.ingest(message(id, 1));
  expect(changes).toEqual([
    expect.stringMatching(/^migrated: a newer version .* stores new records, but leaves settling/),
  ]);
  expect(await settleDue(settling)).toEqual(["others settle"]);
  // late for an hour whose blocks have nothing that this program does not know
  expect(await store.ingest(message("late"))).toMatchObject({ recordsInserted: 1 });
  await withClient(url, (client) => client.query("update blocks set newer = '\\x01'"));
  await expect(store.ingest(message("too late"))).rejects.toMatchObject({ code: "needs_newer_version" });
  await close();
  for (const migrate of [true, false]) await expectUsable(url, migrate);
});

async function expectUsable(url: string, migrate: boolean): Promise<void> {
  const { store, queries, close } = await openPostgresStore({ url, migrate });
  await store.ingest(message(`anew ${migrate}`, 2));
  expect((await queries.fleet.gpus({})).map(({ uuid }) => uuid)).toContain("late");
  await close();
}

/** Settles every hour that is due. @returns what became of each */
async function settleDue(settling: HistorySettling): Promise<string[]> {
  const { hours } = await settling.due({ afterMs: 0, quietMs: 0 });
  return Promise.all(hours.map(async (hour) => (await settling.settleSome(hour, 0)).outcome));
}

test("an embedded store whose migration fails already says what programs have to know", async () => {
  const dataDir = join(folder, "failing");
  await makeDataDir(dataDir);
  const path = join(dataDir, "pglite");
  const client = await openPGliteClient(path);
  const needed = `select ${neededMigrationMs(usualJournal)} as needed`;
  const right = await client.query(needed);
  await client.query("comment on table drizzle.__drizzle_migrations is 'A program has to know migration x [1]'");
  // the last migration is run again, and finds what it adds
  await client.query("delete from drizzle.__drizzle_migrations where created_at = $1", [newestKnownMigrationMs()]);
  await client.close();
  await expect(openPGliteClient(path)).rejects.toThrow(/cannot be opened: .+ already exists/);
  const database = await PGlite.create(path);
  expect(right).not.toEqual([{ needed: 1 }]);
  expect((await database.query(needed)).rows).toEqual(right);
  await database.close();
});

test("an embedded store that a newer version has migrated stays as it is, and the program exits 1 with the reason", async () => {
  const dataDir = join(folder, "data");
  await makeDataDir(dataDir);
  const client = await openPGliteClient(join(dataDir, "pglite"));
  await takeAway(client);
  await client.close();
  for (const role of ["all", "gateway"]) {
    const { subprocess, output } = startPipeline({ DATA_DIR: dataDir, ROLE: role, LOG_LEVEL: "warn" });
    expect([role, await subprocess.exited]).toEqual([role, 1]);
    expect(output()).toMatch(refusal);
    expect(output()).not.toContain("    at ");
  }
});
