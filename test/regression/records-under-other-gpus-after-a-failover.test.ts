import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { DatabaseChange } from "../../src/pipeline/store/database-change.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { createDatabase, databaseOf, withClient } from "../support/postgres-database.ts";

// A collector that was idle during a failover kept the keys that the old database had given to its GPUs. The standby had
// lagged, and another collector had meanwhile given these keys to other GPUs: of 800 records, 620 were stored under the keys of
// other GPUs, and 180 under keys that no GPU had, without an error.

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

const gpuCount = 40;
const t0 = Date.UTC(2025, 6, 18, 20);
const gpus = Array.from({ length: gpuCount }, (_, gpu) => gpu);

/** Records of the given GPUs at the given seconds. A record's value tells its GPU and its second. */
function recordsOf(numbers: readonly number[], seconds: readonly number[]): TestRecord[] {
  return seconds.flatMap((second) =>
    numbers.map((gpu) => ({
      uuid: `GPU-${gpu}`,
      timeMs: t0 + second * 1000,
      metrics: { power_draw: gpu * 1000 + second },
    })),
  );
}

let url: string;
let idle: OpenStore;
let other: OpenStore;
let changes: DatabaseChange[];
let run = 0;

/** Opens two collectors' stores. */
beforeEach(async () => {
  changes = [];
  url = await createDatabase(server, `failover_${(run += 1)}`, { plain: true });
  const open = () =>
    openPostgresStore({ url, migrate: true, maxConnections: 2, onChange: (change) => changes.push(change) });
  idle = await open();
  other = await open();
});
afterEach(async () => void (await Promise.all([idle.close(), other.close()])));

const standbyName = (): string => `${databaseOf(url)}_standby`;

/** Runs statements while no session uses the database, which a copy and a change of its name require. */
const alone = (...statements: readonly string[]): Promise<void> =>
  withClient(server.url, async (admin) => {
    const database = databaseOf(url);
    await admin.query(`alter database ${database} allow_connections false`);
    await admin.query("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1", [database]);
    for (const statement of statements) await admin.query(statement);
    await admin.query(`alter database ${database} allow_connections true`);
  });

/** Makes a standby: a copy of the database that receives nothing more. */
const copyToStandby = (): Promise<void> => alone(`create database ${standbyName()} template ${databaseOf(url)}`);

/** The copy answers at the address of the database. */
const failOver = (): Promise<void> =>
  alone(
    `alter database ${databaseOf(url)} rename to ${databaseOf(url)}_lost`,
    `alter database ${standbyName()} rename to ${databaseOf(url)}`,
  );

/** After connections were cut, the first calls may fail with a retryable error; like a collector, this calls again. */
async function ingest({ store }: OpenStore, id: string, records: readonly TestRecord[]): Promise<unknown> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await store.ingest(messageOf(id, makeBatch(records)));
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable !== true || attempt === 5) throw error;
    }
  }
}

/** Expects each stored record under its own GPU, and no other record. */
async function expectStored(expected: readonly TestRecord[]): Promise<void> {
  const { elements } = await idle.queries.history.records({ gpus: {}, range: allTime, limit: 10_000 });
  const textOf = (uuid: string, timeMs: number, power: number | undefined) => `${uuid} ${timeMs} ${power}`;
  expect(elements.map(({ gpu, timeMs, metrics }) => textOf(gpu.uuid, timeMs, metrics.power_draw)).sort()).toEqual(
    expected.map(({ uuid, timeMs, metrics }) => textOf(uuid, timeMs, metrics.power_draw)).sort(),
  );
  const orphans = await withClient(url, (client) =>
    client.query("select from telemetry left join gpus using (gpu_key) where gpus.uuid is null"),
  );
  expect(orphans).toHaveLength(0);
}

test("records that an idle collector stores after a failover to a standby that lagged are under their own GPUs", async () => {
  const kept = recordsOf(gpus.slice(0, 5), [0]);
  await ingest(idle, "before the copy", kept);
  await copyToStandby();
  await ingest(idle, "not on the standby", recordsOf(gpus, [1]));
  await failOver();
  const byOther = recordsOf(gpus.slice(10).toReversed(), [2]);
  await ingest(other, "of another collector", byOther);
  const seconds = Array.from({ length: 20 }, (_, second) => 10 + second);
  const byIdle = recordsOf(gpus, seconds);
  expect(byIdle).toHaveLength(800);
  await ingest(idle, "of the idle collector", byIdle);
  await expectStored([...kept, ...byOther, ...byIdle]);
  expect(await idle.queries.fleet.gpus({})).toHaveLength(gpuCount);
  for (const gpu of [0, 7, 39]) {
    const states = await idle.queries.fleet.changes({ uuid: `GPU-${gpu}`, range: allTime });
    expect([states.attributes.length, states.workloads.length]).toEqual([1, 1]);
  }
});

test("a message that the standby lacks is stored with its GPUs when it is delivered again", async () => {
  await copyToStandby();
  const lost = recordsOf(gpus, [1]);
  await ingest(idle, "lost", lost);
  await failOver();
  expect(await ingest(idle, "lost", lost)).toMatchObject({ duplicate: false, recordsInserted: gpuCount });
  await expectStored(lost);
});

test("a database that lacks a stored message is reported exactly once, with the message's id, and notice() returns it", async () => {
  await copyToStandby();
  await ingest(idle, "lost", recordsOf(gpus, [1]));
  expect(idle.notice()).toBeUndefined();
  await failOver();
  await ingest(idle, "later", recordsOf(gpus, [2]));
  await ingest(idle, "later still", recordsOf(gpus, [3]));
  expect(changes).toMatchObject([{ kind: "went_back", text: expect.stringContaining("lacks message lost") as string }]);
  expect(idle.notice()).toMatchObject({ kind: "went_back" });
});

test("a process that only answers /health notices the failover, too", async () => {
  await ingest(idle, "kept", recordsOf(gpus, [0]));
  await copyToStandby();
  await ingest(idle, "lost", recordsOf(gpus, [1]));
  await failOver();
  for (let attempt = 0; changes.length === 0 && attempt < 5; attempt += 1)
    await idle.store.ping().catch(() => undefined);
  expect(changes).toMatchObject([{ kind: "went_back" }]);
});

test("tables that were emptied and filled again while the connection stayed open are noticed", async () => {
  await ingest(idle, "first", recordsOf(gpus, [0]));
  await withClient(url, (client) =>
    client.query("truncate gpus, telemetry, gpu_attributes, gpu_workloads, gpu_reports, reported_attributes"),
  );
  const later = recordsOf(gpus, [1]);
  await ingest(idle, "second", later);
  await expectStored(later);
});

test("two GPUs with the same key are refused, and the error names both", async () => {
  await ingest(idle, "first", recordsOf([1], [0]));
  await withClient(url, (client) => client.query("update gpus set uuid = 'GPU-other'"));
  await expect(idle.store.ingest(messageOf("second", makeBatch(recordsOf([1, 2], [1]))))).resolves.toBeDefined();
  await expect(other.store.ingest(messageOf("third", makeBatch(recordsOf([1, 2], [2]))))).rejects.toMatchObject({
    code: "store_rejected",
    message: expect.stringMatching(/GPU-1 and GPU-other have the same key/) as string,
  });
});
