import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { systemClock } from "../../src/kit/clock.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { usualJournal } from "../../src/db/migrations.ts";
import { DatabaseWatch } from "../../src/pipeline/store/sql/database-watch.ts";
import { SqlTelemetryStore } from "../../src/pipeline/store/sql/sql-telemetry-store.ts";
import type { TelemetryStore } from "../../src/pipeline/store/telemetry-store.ts";
import { openMemoryStore } from "../support/open-store.ts";

let opened: OpenStore;
beforeAll(async () => {
  opened = await openMemoryStore();
});
afterAll(() => opened.close());

const days = (raw: number) => ({ raw, "1m": 0, "1h": 0, usage: 0 });

async function idsIn(statement: string): Promise<number[]> {
  return (await opened.client.query<{ id: number }>(statement)).map(({ id }) => Number(id));
}

test("a GPU's workloads and reports are deleted with their records, but not those that hold since then", async () => {
  const { client, retention } = opened;
  const ages = [9, 5, 2, 0];
  for (const age of ages) {
    const from = `now() - make_interval(days => ${age})`;
    await client.query(`insert into gpu_workloads select 1, ${from}, '[]' from (select 1) one`);
    await client.query(`insert into gpu_reports select 1, ${from}, ${age} from (select 1) one`);
  }
  await client.query("insert into gpu_workloads select 2, now() - interval '90 days', '[]' from (select 1) one");
  await retention.deleteOlder(days(3));
  const kept = (table: string): Promise<number[]> =>
    idsIn(`select gpu_key * 100 + extract(day from now() - valid_from)::int as id from ${table} order by 1`);
  expect(await kept("gpu_workloads")).toEqual([100, 102, 105, 290]);
  expect(await kept("gpu_reports")).toEqual([100, 102, 105]);
});

test("places are kept as long as rollups, and what no report says any more is deleted with the last report of it", async () => {
  const { client, retention } = opened;
  const ago = (days: number) => `now() - make_interval(days => ${days})`;
  const attributes = `gpu_id, device, model_name, driver_version, cluster_id, hostname, properties`;
  const values = (hostname: string) => `0, '', '', '', '', '${hostname}', '{}'`;
  for (const age of [90, 60, 9, 1]) {
    const row = `select 3, ${ago(age)}, ${values(`host ${age}`)} from (select 1) one`;
    await client.query(`insert into gpu_attributes (gpu_key, valid_from, ${attributes}) ${row}`);
    await client.query(`insert into gpu_reports select 3, ${ago(age)}, ${age % 2} from (select 1) one`);
  }
  for (const id of [0, 1, 2])
    await client.query(
      `insert into reported_attributes (gpu_key, attributes_id, ${attributes}) select 3, ${id}, ${values("")}`,
    );
  const count = async (table: string) => (await client.query(`select from ${table} where gpu_key = 3`)).length;
  await retention.deleteOlder({ raw: 3, "1h": 0, usage: 0 });
  expect(await count("gpu_attributes")).toBe(4);
  // 0 was reported 90 and 60 days ago; 2 is that of a record that is just being stored
  expect(await idsIn("select attributes_id as id from reported_attributes where gpu_key = 3 order by 1")).toEqual([
    1, 2,
  ]);
  await retention.deleteOlder({ raw: 3, "1h": 30, usage: 30 });
  expect(await count("gpu_attributes")).toBe(3);
});

test("a report that comes again after it was deleted is known again, also to a collector that takes it for the newest", async () => {
  const { client, store, queries, retention } = opened;
  const watch = new DatabaseWatch({ client, place: "here", clock: systemClock, onChange: () => undefined });
  const other = new SqlTelemetryStore(client, watch, {
    probe: () => Promise.resolve(),
    journal: () => usualJournal,
  });
  const report = (by: TelemetryStore, daysAgo: number, driverVersion: string) => {
    const timeMs = Date.now() - daysAgo * 86_400_000;
    const batch = makeBatch([{ uuid: "again", timeMs, driverVersion, metrics: { temperature: 1 } }]);
    return by.ingest(messageOf(`again ${daysAgo}`, batch));
  };
  await report(store, 9, "old");
  await report(store, 8, "old");
  await report(other, 5, "new");
  await retention.deleteOlder({ raw: 3, "1h": 3, usage: 3 });
  await report(store, 0, "old");
  const [gpu] = await queries.fleet.gpus({ uuids: ["again"] });
  expect(gpu).toMatchObject({ driverVersion: "old" });
  const unknown = `
select from gpu_reports p where gpu_key > 10 and not exists (
  select from reported_attributes r where r.gpu_key = p.gpu_key and r.attributes_id = p.attributes_id)`;
  expect(await client.query(unknown)).toEqual([]);
});

test("a source that another one has replaced, or of which nothing is left, is forgotten; a device that is only missing is not", async () => {
  const { client, retention } = opened;
  const device = (source: string, gpu: number, first: number, last: number) =>
    client.query(`
insert into source_devices select '${source}', ${gpu}, now() - make_interval(days => ${first}), now() - make_interval(days => ${last})
from (select 1) one`);
  const read = (source: string, days: number) =>
    client.query(`
insert into source_readings (source_id, hour, interval_ms, first_at, last_at, due, received, late, frozen, quarantined, missed)
select '${source}', at, 1000, at, at, 1, 1, 0, 0, 0, '{}' from (select now() - make_interval(days => ${days}) as at) a`);
  // GPU 1 has moved from a to b, 2 is missing from b since long, 3 was of c alone, which has ended; 4 was of c and is now of b
  await device("a", 1, 90, 60);
  await device("b", 1, 60, 0);
  await device("b", 2, 60, 50);
  await device("c", 3, 90, 60);
  await device("c", 4, 90, 60);
  await device("b", 4, 1, 0);
  await read("b", 0);
  await retention.deleteOlder({ raw: 30, "1h": 0, usage: 0 });
  expect(
    await client.query("select source_id as source, gpu_key::float8 as gpu from source_devices order by 2, 1"),
  ).toEqual([
    { source: "b", gpu: 1 },
    { source: "b", gpu: 2 },
    { source: "b", gpu: 4 },
  ]);
});

test("the sums of a live source are deleted when nothing else is left of it, those of a file stay", async () => {
  const { client, retention } = opened;
  const total = (source: string, lastOffset: string) =>
    client.query(`
insert into folded_totals select '${source}', 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, '{}', ${lastOffset} from (select 1) one`);
  const msAgo = (days: number) => `(extract(epoch from now()) * 1000)::int8 - ${days} * 86400000::int8`;
  await total("ended", msAgo(40));
  await total("late", msAgo(20));
  await total("file", "1000");
  await client.query("insert into folded_ranges values ('file', 0, 0, 1000, 10)");
  await retention.deleteOlder({ raw: 30, "1h": 0, usage: 0 });
  const kept = await client.query<{ id: string }>("select source_id as id from folded_totals order by 1");
  expect(kept.map(({ id }) => id)).toEqual(["file", "late"]);
});

test("quarantine keeps a million inputs, and none that are older than the records", async () => {
  const { client, retention } = opened;
  const text = `
insert into quarantine (id, source_id, item, byte_offset, line, reason, field, value, message, raw, seen_at)
overriding system value select id, 's', id, 0, 0, 'r', 'f', 'v', 'm', 'w', now() - make_interval(days => age)
from (values (1, 9), (2, 9), (999, 4), (1000, 1), (1000500, 0)) as r(id, age)`;
  await client.query(text);
  await retention.deleteOlder(days(0));
  expect(await idsIn("select id from quarantine order by id")).toEqual([999, 1000, 1000500]);
  await retention.deleteOlder(days(3));
  expect(await idsIn("select id from quarantine order by id")).toEqual([1000, 1000500]);
});

test("the ends of series are deleted with the records of their time", async () => {
  const { store, queries, retention } = opened;
  const at = (daysAgo: number) => Date.now() - daysAgo * 86_400_000;
  const batch = makeBatch([{ uuid: "ended", timeMs: at(0), metrics: { temperature: 1 } }]);
  const ends = [9, 2].map((days) => ({ uuid: "ended", timeMs: at(days), series: ["temperature"] }));
  await store.ingest(messageOf("ended", { ...batch, ends }));
  await retention.deleteOlder({ raw: 3, "1h": 3, usage: 3 });
  expect(await queries.history.ends({ uuids: ["ended"], range: allTime })).toEqual(ends.slice(1));
});
