import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import type { StoredRecord } from "../../src/domain/query.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import type { NewFile } from "../../src/pipeline/upkeep/archive/archive-files.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { ArchiveUpkeep, type ArchiveUpkeepOptions } from "../../src/pipeline/upkeep/archive-upkeep.ts";
import { HistoryUpkeep } from "../../src/pipeline/upkeep/history-upkeep.ts";
import { archiveFormat } from "../../src/roles/open-archive.ts";
import { runTelemetry } from "../clients/run-telemetry.ts";
import { batchOf, firstSecondMs, gatewayOver } from "../routes/gateway.ts";
import { readParquet } from "../support/parquet.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { settleTo } from "../support/settled.ts";
import { everything } from "./archived-fleet.ts";
import { openCollectingGateway } from "./collecting-gateway.ts";
import { objectAccess, serveObjects } from "./object-server.ts";

setDefaultTimeout(60_000);

const hourMs = 3_600_000;
const log = unshownLog();
const signal = AbortSignal.timeout(600_000);
let server: ProvidedDatabase;
let opened: OpenStore;
let folder: string;
let databases = 0;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "archive-"));
  const url = await createDatabase(server, `archive${(databases += 1)}`, { plain: true });
  opened = await openPostgresStore({ url, migrate: true });
});
afterEach(async () => {
  await opened.close();
  rmSync(folder, { recursive: true });
});

/** Takes its steps when it is told to. */
class SteppedArchive extends ArchiveUpkeep {
  override step(): Promise<void> {
    return super.step();
  }
}

function archiveOf(more: Partial<ArchiveUpkeepOptions> = {}): SteppedArchive {
  const files = openArchiveFiles(folder);
  const parts = { ledger: opened.archive, queries: opened.queries, files, format: archiveFormat, afterMinutes: 0 };
  return new SteppedArchive({ ...parts, instanceId: "one", clock, log, ...more });
}

let messages = 0;
async function store(timesMs: readonly number[], metrics: Readonly<Record<string, number>>): Promise<void> {
  const records = timesMs.flatMap((timeMs) => ["GPU-a", "GPU-b"].map((uuid) => ({ uuid, timeMs, metrics })));
  await opened.store.ingest(messageOf(`archived ${(messages += 1)}`, makeBatch(records)));
}

const storeEverything = async (): Promise<void> =>
  void (await opened.store.ingest({ ...messageOf("everything", makeBatch([])), batch: batchOf(everything) }));

const filesIn = (path = folder): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();

async function rowsOf(path: string): Promise<Record<string, unknown>[]> {
  const rows = await readParquet(readFileSync(join(folder, path)).buffer);
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)));
}

const storedRecords = async (from: OpenStore = opened): Promise<readonly StoredRecord[]> =>
  (await from.queries.history.records({ gpus: {}, range: allTime, limit: 10_000 })).elements;

test("past hours are files by day and cluster, which have what the store has, and are noted with their sums", async () => {
  await storeEverything();
  await settleTo(opened.client, "half");
  const archive = archiveOf();
  await archive.step();
  const paths = [
    "date=2024-07-18/cluster=beta/2024-07-18T00.parquet",
    "date=2025-07-18/cluster=alpha/2025-07-18T20.parquet",
    "date=2025-07-18/cluster=beta%2F2%20%C3%BC/2025-07-18T20.parquet",
    "date=2025-07-18/cluster=beta/2025-07-18T22.parquet",
  ];
  expect(filesIn()).toEqual(paths);
  const rows = await rowsOf(paths[1] as string);
  const records = (await storedRecords()).filter(
    ({ gpu, timeMs }) => gpu.clusterId === "alpha" && timeMs < firstSecondMs + hourMs,
  );
  const keyOf = ({ uuid, timestamp }: Record<string, unknown>) => `${String(uuid)} ${(timestamp as Date).getTime()}`;
  expect(rows.map(keyOf).sort()).toEqual(records.map(({ gpu, timeMs }) => `${gpu.uuid} ${timeMs}`).sort());
  const order = rows.map(({ uuid }) => uuid as string);
  expect(order).toEqual(order.toSorted());
  const listed = await opened.archive.files({ limit: 2 });
  const [newest, alpha] = listed;
  expect(newest).toMatchObject({ hour: Date.UTC(2025, 6, 18, 22), clusterId: "beta", path: paths[3], records: 1 });
  const bytes = readFileSync(join(folder, paths[1] as string));
  const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  expect(alpha).toMatchObject({ clusterId: "alpha", records: rows.length, bytes: bytes.length, sha256 });
  expect(await opened.archive.files({ limit: 9, after: alpha as NonNullable<typeof alpha> })).toMatchObject([
    ...[{ path: paths[2] }, { path: paths[0] }],
  ]);
  expect(await opened.archive.state()).toMatchObject({
    ...{ place: folder, isLed: true, files: 4, records: 12, waitingHours: 0, failure: undefined },
    ...{ firstMs: Date.UTC(2024, 6, 18), lastMs: Date.UTC(2025, 6, 18, 22) },
  });
  expect(archive.current).toMatchObject({ files: 4, records: 12, waiting: { hours: 0, lagSeconds: 0 } });
  // nothing has changed
  await archive.step();
  expect(archive.current.files).toBe(4);
});

test("an archive in a store of objects that is read into an empty store answers the same", async () => {
  await storeEverything();
  await settleTo(opened.client, "everything");
  using objects = serveObjects();
  const files = openArchiveFiles("s3://bucket/fleet", { ...objectAccess, endpoint: objects.endpoint });
  await archiveOf({ files }).step();
  const env = {
    ...{ AWS_ACCESS_KEY_ID: objectAccess.accessKeyId, AWS_SECRET_ACCESS_KEY: objectAccess.secretAccessKey },
    ...{ AWS_REGION: objectAccess.region, AWS_ENDPOINT: objects.endpoint },
  };
  const target = await openCollectingGateway([]);
  const imported = await runTelemetry(target.port, ["import", "s3://bucket/fleet"], env);
  expect(imported).toEqual({ status: 0, errors: "", text: "12 records of 4 file(s)\n" });
  // with the labels of GPUs, which answers about records do not have
  expect(await storedRecords(target.stored)).toEqual(await storedRecords());
  const [source, read] = [gatewayOver(opened), gatewayOver(target.stored)];
  for (const path of ["/api/v1/telemetry/latest", "/api/v1/clusters", "/api/v1/hosts"]) {
    expect(await read.json(path)).toEqual(await source.json(path));
  }
  await target.close();
});

test("late records are added to the file of their hour, and what the store has deleted stays in it", async () => {
  const t0 = Date.UTC(2026, 0, 1, 5);
  const path = "date=2026-01-01/cluster=cluster/2026-01-01T05.parquet";
  await store([t0, t0 + 1000], { temperature: 50 });
  const archive = archiveOf();
  await archive.step();
  const shown = async () => {
    const rows = (await rowsOf(path)).filter(({ uuid }) => uuid === "GPU-a");
    return rows.map(({ timestamp, temperature, power_draw }) => {
      return [(timestamp as Date).getTime() - t0, temperature, power_draw];
    });
  };
  expect(await shown()).toEqual([
    [0, 50, undefined],
    [1000, 50, undefined],
  ]);
  await settleTo(opened.client, "everything");
  await store([t0 + 500], { temperature: 51 });
  await archive.step();
  expect((await shown()).map(([at]) => at)).toEqual([0, 500, 1000]);
  await settleTo(opened.client, "everything");
  await opened.client.query("delete from blocks");
  await store([t0 + 1000, t0 + 2000], { power_draw: 300 });
  await archive.step();
  expect(await shown()).toEqual([
    [0, 50, undefined],
    [500, 51, undefined],
    [1000, 50, 300],
    [2000, undefined, 300],
  ]);
  expect(await opened.archive.files({ limit: 9 })).toMatchObject([{ path, records: 8 }]);
});

test("records that come while their hour is written are not missed, nor those of a transaction that is under way", async () => {
  const t0 = Date.UTC(2026, 0, 2, 5);
  await store([t0], { temperature: 1 });
  const { history, fleet } = opened.queries;
  let isLate = false;
  const recordsOfEach: typeof history.recordsOfEach = async (filter) => {
    const records = await history.recordsOfEach(filter);
    if (!isLate) await store([t0 + 1000], { temperature: 2 });
    isLate = true;
    return records;
  };
  const archive = archiveOf({
    queries: { fleet, history: { ...history, recordsOfEach } },
  });
  await archive.step();
  expect(await opened.archive.files({ limit: 1 })).toMatchObject([{ records: 2 }]);
  expect((await opened.archive.open({ afterMs: 0, quietMs: 0 })).due).toEqual([t0]);
  // an hour to which a transaction adds is left for later
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const adding = opened.client.transaction(async (transaction) => {
    await transaction.query(`select pg_advisory_xact_lock_shared(7165, ${t0 / hourMs})`);
    await held;
  });
  await Bun.sleep(100);
  expect(await opened.archive.begin(t0, "one")).toBe("hour is busy");
  release();
  await adding;
  await archive.step();
  expect(await opened.archive.files({ limit: 1 })).toMatchObject([{ records: 4 }]);
  expect((await opened.archive.open({ afterMs: 0, quietMs: 0 })).due).toEqual([]);
});

test("one process leads; another one takes over when it dies within an hour, and writes the hour once", async () => {
  const t0 = Date.UTC(2026, 0, 3, 5);
  await store([t0, t0 + hourMs], { temperature: 1 });
  const files = openArchiveFiles(folder);
  const created: NewFile[] = [];
  const dying: typeof files = {
    ...{ description: files.description, list: () => files.list(), open: (path) => files.open(path) },
    sizeOf: (path) => files.sizeOf(path),
    create: async (path) => {
      const file = await files.create(path);
      // the second file is never finished: the process hangs, and its part stays
      created.push(file);
      return created.length === 1 ? file : { ...file, write: () => new Promise<void>(() => undefined) };
    },
  };
  void archiveOf({ files: dying }).step();
  while (created.length < 2) await Bun.sleep(5);
  const other = archiveOf({ instanceId: "two" });
  await other.step();
  expect([other.current.files, other.activity()]).toEqual([0, `another process writes the archive to ${folder}`]);
  await opened.client.query("update archive_lead set expires_at = now() - interval '1 second'");
  await other.step();
  expect(other.current.files).toBe(1);
  expect(filesIn().filter((path) => path.endsWith(".parquet"))).toHaveLength(2);
  expect((await opened.archive.files({ limit: 9 })).map(({ records }) => records)).toEqual([2, 2]);
  // the first one thaws, and may have shown an older file: the hour is written again
  expect(await opened.archive.complete(t0 + hourMs, "one", [])).toBe("led by another");
  await other.step();
  expect(other.current.files).toBe(2);
  await created[1]?.discard();
  await other.start();
  await other.stop(signal);
  expect(await opened.archive.lead({ holder: "three", place: folder })).toBe(true);
});

test("records that are not archived are not deleted because of their age, unless nothing archives them", async () => {
  const t0 = Date.UTC(2026, 0, 4, 5);
  await store([t0, t0 + 72 * hourMs], { temperature: 1 });
  const keepDays = { raw: 1, "1h": 0, usage: 0 };
  const unarchived = () => opened.archive.open({ afterMs: 0, quietMs: 0 });
  const { retention } = opened;
  class Stepped extends HistoryUpkeep {
    override step = (): Promise<void> => super.step();
  }
  const upkeep = new Stepped({ retention, keepDays, unarchived, clock, log });
  await upkeep.step();
  expect(await storedRecords()).toHaveLength(4);
  expect(upkeep.activity()).toContain("those from 2026-01-04T05:00:00Z on are kept until they are archived");
  const archive = archiveOf();
  await archive.step();
  await store([t0 + 72 * hourMs + 1000], { temperature: 2 });
  await upkeep.step();
  expect((await storedRecords()).map(({ timeMs }) => timeMs - t0)).toEqual(
    [0, 0, 1000, 1000].map((ms) => 72 * hourMs + ms),
  );
  await archive.step();
  await upkeep.step();
  expect([await storedRecords(), upkeep.activity().includes("archived")]).toEqual([[], false]);
  await store([t0], { temperature: 1 });
  await new Stepped({ retention, keepDays, clock, log }).step();
  expect(await storedRecords()).toEqual([]);
});

test("an hour whose file cannot be read is told, is not replaced, and keeps no other hour from being written", async () => {
  const t0 = Date.UTC(2026, 0, 5, 5);
  await store([t0], { temperature: 1 });
  const archive = archiveOf();
  await archive.step();
  const [path = ""] = filesIn();
  writeFileSync(join(folder, path), "damaged");
  await store([t0 + 1000, t0 + hourMs], { temperature: 2 });
  // bun's `rejects` lets other work of the process wait for seconds
  const failed = await archive.step().catch((error: unknown) => error as Error);
  expect(failed?.message).toStartWith(`${path} in ${folder} cannot be read, and is not replaced`);
  expect(filesIn()).toHaveLength(2);
  expect(await opened.archive.state()).toMatchObject({
    ...{ waitingHours: 1, waitingFromMs: t0, failure: expect.stringContaining("cannot be read") as string },
  });
  rmSync(join(folder, path));
  await archive.step();
  expect(await rowsOf(path)).toHaveLength(4);
  expect(await opened.archive.state()).toMatchObject({ waitingHours: 0, failure: undefined });
});
