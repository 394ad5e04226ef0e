import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import type { StoreDisk } from "../../src/pipeline/store/store-disk.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

// One folder, in the order of these tests.

setDefaultTimeout(300_000);

const never = new AbortController().signal;
const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
/** A text that does not compress. */
const noise = randomBytes(20_000).toString("base64");

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "telemetry-budget-"));
  await makeDataDir(dataDir);
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

async function withStore(maxGibibytes: number, work: (opened: OpenStore, disk: StoreDisk) => Promise<void>) {
  const opened = await openPGliteStore({ dataDir, maxGibibytes });
  try {
    await work(opened, opened.disk as StoreDisk);
  } finally {
    await opened.close();
  }
}

/** What the folder takes, as `du` says. */
async function folderMebibytes(): Promise<number> {
  const text = await new Response(Bun.spawn(["du", "-s", "--block-size=1M", dataDir]).stdout).text();
  return parseInt(text, 10);
}

/** Stores an hour of records that take about 12 MiB. */
async function storeHour({ client }: OpenStore, hour: number): Promise<void> {
  const text = `
insert into telemetry (gpu_key, time, power_draw, custom)
select k, to_timestamp($1::float8 / 1000) + make_interval(secs => s), 100, jsonb_build_object('x', substr($2, k * 200 + s, 12000))
from generate_series(1, 8) k, generate_series(1, 120) s`;
  await client.transaction((executor) => executor.query(text, [startMs + hour * hourMs, noise]));
}

async function hoursStored({ client }: OpenStore): Promise<number[]> {
  const text = `
select distinct floor((extract(epoch from time)::float8 * 1000 - ${startMs}) / ${hourMs})::int as hour from telemetry order by 1`;
  return (await client.query<{ hour: number }>(text)).map(({ hour }) => hour);
}

const record = (timeMs: number) => ({ uuid: "GPU-1", timeMs, metrics: { power_draw: 100 } });
const message = (id: string) => messageOf(id, makeBatch([record(startMs + 100 * hourMs)]));

test("a limit that is too small for a store without history is refused at the start, with the smallest one that is not", async () => {
  const refused = await openPGliteStore({ dataDir, maxGibibytes: 0.05 }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "data_dir_unusable" });
  const [, least = ""] =
    /^DATA_MAX_GIB=0\.05 is too small for .* Set DATA_MAX_GIB to (0\.\d+) or more/.exec(
      String((refused as Error).message),
    ) ?? [];
  // docs/store.md says 0.15
  expect(Number(least)).toBeWithin(0.13, 0.17);
  const tooSmall = openPGliteStore({ dataDir, maxGibibytes: Number(least) - 0.01 });
  expect(await tooSmall.catch((error: unknown) => error)).toMatchObject({ code: "data_dir_unusable" });
  await withStore(Number(least), () => Promise.resolve());
});

test("the folder never takes more than its limit, and the oldest history is deleted, hour by hour", async () => {
  await withStore(0.2, async (opened, disk) => {
    let trimmed = 0;
    for (let hour = 0; hour < 11; hour += 1) {
      await disk.makeRoom();
      await storeHour(opened, hour);
      trimmed += (await disk.tidy(never))?.records ?? 0;
      const size = await folderMebibytes();
      expect(size).toBeLessThanOrEqual(0.2 * 1024);
      expect(Math.abs(disk.use().bytes / 1024 ** 2 - size)).toBeLessThan(3);
      expect(disk.use().logBytes).toBeLessThanOrEqual(64 * 1024 ** 2);
    }
    const hours = await hoursStored(opened);
    const oldest = hours[0] as number;
    expect(oldest).toBeGreaterThan(2);
    expect(hours).toEqual(Array.from({ length: 11 - oldest }, (_, index) => oldest + index));
    expect(trimmed).toBe(oldest * 960);
  });
});

test("rows that are changed again and again take no more space than once", async () => {
  await withStore(0, async ({ client }, disk) => {
    const sizeOf = async (): Promise<number> => {
      const text = "select pg_total_relation_size('gpus')::float8 as bytes";
      return (await client.query<{ bytes: number }>(text))[0]?.bytes ?? 0;
    };
    await client.query(`
insert into gpus select k, 'GPU-' || k, 'cluster', 'host', 0, 'nvidia0', 'H100', '535', '{}', now(), now()
from generate_series(1, 3000) k`);
    const change = async (): Promise<number> => {
      await client.query("update gpus set last_seen_at = last_seen_at + interval '1 minute', revision = revision + 1");
      // the database counts dead rows once a second
      await Bun.sleep(1100);
      await disk.tidy(never);
      return sizeOf();
    };
    const sizes = [await change(), await change(), await change(), await change()];
    expect(sizes[3]).toBeLessThan(1.3 * (sizes[1] as number));
    await client.query("delete from gpus");
  });
});

test("after the limit is lowered, messages wait until enough history is deleted and the files have shrunk", async () => {
  // how much of their history the tests before have left depends on the size of the log at that moment
  await withStore(0, async (opened) => {
    for (const hour of [11, 12, 13]) await storeHour(opened, hour);
  });
  await withStore(0.17, async (opened, disk) => {
    const refused = await opened.store.ingest(message("1")).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "store_unavailable", retryable: true });
    expect((refused as Error).message).toMatch(
      /has no room: its database takes \d+ of at most 175 MiB \(DATA_MAX_GIB\)/,
    );
    const newest = (await hoursStored(opened)).at(-1);
    const trimmed = await disk.tidy(never);
    expect(trimmed?.records).toBeGreaterThan(0);
    expect(await opened.store.ingest(message("1"))).toMatchObject({ duplicate: false, recordsInserted: 1 });
    expect((await hoursStored(opened)).slice(-2)).toEqual([newest as number, 100]);
    expect(await folderMebibytes()).toBeLessThan(143);
  });
});

test("rollups that outlive their records take a quarter of the limit, and those of hours with records stay", async () => {
  await withStore(0.3, async (opened, disk) => {
    const text = `
insert into rollups (from_at, first_key, last_key, entries, keys, holders, holder_names, records)
select to_timestamp($1::float8 / 1000) + make_interval(hours => h), k, k, 1, convert_to(substr($2, k * 5, 20000), 'utf8'), ''::bytea, '[]'::json, ''::bytea
from generate_series(-760, -1) h, generate_series(1, 11) k union all
select to_timestamp($1::float8 / 1000) + make_interval(hours => 100), 1, 1, 1, '', '', '[]', ''`;
    await opened.client.transaction((executor) => executor.query(text, [startMs, noise]));
    const left = (): Promise<{ rows: number; newest: number }[]> =>
      opened.client.query(`
select count(*)::int as rows, (extract(epoch from max(from_at)) * 1000)::float8 as newest from rollups`);
    const trimmed = await disk.tidy(never);
    expect(trimmed?.rollups).toBeGreaterThan(0);
    const [{ rows, newest } = { rows: 0, newest: 0 }] = await left();
    expect(rows).toBe(8361 - (trimmed?.rollups ?? 0));
    expect(rows * 20_000).toBeLessThan((0.3 / 4) * 1024 ** 3);
    expect(rows * 20_000).toBeGreaterThan((0.3 / 6) * 1024 ** 3);
    expect(newest).toBe(startMs + 100 * hourMs);
    expect((await hoursStored(opened)).at(-1)).toBe(100);
  });
});
