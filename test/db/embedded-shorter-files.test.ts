import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import type { StoreDisk } from "../../src/pipeline/store/store-disk.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

setDefaultTimeout(300_000);

const never = new AbortController().signal;
const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
const maxGibibytes = 0.22;
const maxBytes = maxGibibytes * 1024 ** 3;
/** A text that does not compress. */
const noise = randomBytes(30_000).toString("base64");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telemetry-shorter-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function withStore(name: string, work: (opened: OpenStore, disk: StoreDisk) => Promise<void>): Promise<void> {
  const dataDir = join(folder, name);
  await makeDataDir(dataDir);
  const opened = await openPGliteStore({ dataDir, maxGibibytes });
  const makePiece = `create function piece(place int8, length int8) returns bytea immutable language sql
    as $$ select convert_to(substr('${noise}', 1 + (place * 37 % 20000)::int, length::int), 'utf8') $$`;
  try {
    await opened.client.transaction((executor) => executor.query(makePiece));
    await work(opened, opened.disk as StoreDisk);
  } finally {
    await opened.close();
  }
}

/** Stores an hour of blocks that take about 4 MiB: some of their values lie outside their rows, some within. */
const blocksText = `
insert into blocks (gpu_key, from_at, to_at, records, times, power_draw, gpu_utilization, memory_utilization, others, runs)
select k, at, at + interval '59 minutes', 60, piece(k, 900), piece(k + 1, 9000 + k), piece(k + 2, 500), null, piece(k + 3, 3000), '[]'
from generate_series(1, 300) k, to_timestamp($1::float8 / 1000) at`;
/** Stores an hour of rows that take about 10 MiB. */
const rowsText = `
insert into telemetry (gpu_key, time, power_draw, custom)
select k, to_timestamp($1::float8 / 1000) + make_interval(secs => s), 100, jsonb_build_object('x', encode(piece(k * 90 + s, 10000), 'escape'))
from generate_series(1, 8) k, generate_series(1, 120) s`;

/** Stores an hour of rows without long values that take about 13 MiB. */
const shortRowsText = `
insert into telemetry (gpu_key, time, power_draw, custom)
select k, to_timestamp($1::float8 / 1000) + make_interval(secs => s), 100, jsonb_build_object('x', encode(piece(k * 90 + s, 1200), 'escape'))
from generate_series(1, 8) k, generate_series(1, 1200) s`;

async function storeHour({ client }: OpenStore, text: string, hour: number): Promise<void> {
  await client.transaction((executor) => executor.query(text, [startMs + hour * hourMs]));
}

/** What is in a table, by the hour. */
async function contentByHour({ client }: OpenStore, table: "blocks" | "telemetry"): Promise<[number, string][]> {
  const at = table === "blocks" ? "from_at" : "time";
  const text = `
select floor((extract(epoch from ${at})::float8 * 1000 - ${startMs}) / ${hourMs})::int as hour,
  count(*) || ' ' || sum(hashtextextended(t::text, 0)) as content
from ${table} t group by 1 order by 1`;
  const rows = await client.query<{ hour: number; content: string }>(text);
  return rows.map(({ hour, content }) => [hour, content]);
}

test("rows that need the space of blocks get it from the oldest hours at once, and the other blocks stay as they are", () =>
  withStore("blocks", async (opened, disk) => {
    let [hour, trimmed] = [0, 0];
    for (; trimmed === 0; hour += 1) {
      await disk.makeRoom();
      await storeHour(opened, blocksText, hour);
      trimmed += (await disk.tidy(never))?.records ?? 0;
    }
    const before = await contentByHour(opened, "blocks");
    for (const end = hour + 5; hour < end; hour += 1) {
      // what finds no room waits until the files are tidied once
      await disk.makeRoom();
      await storeHour(opened, rowsText, hour);
      await disk.makeRoom().catch(() => undefined);
      expect(disk.use().bytes).toBeLessThanOrEqual(maxBytes);
      await disk.tidy(never);
      expect(disk.use().bytes).toBeLessThanOrEqual(maxBytes);
    }
    await disk.makeRoom();
    const after = await contentByHour(opened, "blocks");
    expect(after.length).toBeGreaterThan(0);
    expect(after).toEqual(before.slice(-after.length));
    const rows = await contentByHour(opened, "telemetry");
    expect(rows.map(([, content]) => content.split(" ")[0])).toEqual(new Array<string>(5).fill("960"));
  }));

test("blocks get the space that settled rows have left before any history is deleted", () =>
  withStore("rows", async (opened, disk) => {
    for (let hour = 0; hour < 7; hour += 1) await storeHour(opened, shortRowsText, hour);
    const text = "delete from telemetry where time < to_timestamp($1::float8 / 1000)";
    await opened.client.transaction((executor) => executor.query(text, [startMs + 6 * hourMs]));
    const before = await contentByHour(opened, "telemetry");
    for (let hour = 0; hour < 12; hour += 1) {
      await disk.makeRoom();
      await storeHour(opened, blocksText, hour);
      // the database counts dead rows once a second
      if (hour === 0) await Bun.sleep(1100);
      expect(await disk.tidy(never)).toBeUndefined();
      expect(disk.use().bytes).toBeLessThanOrEqual(maxBytes);
    }
    expect(await contentByHour(opened, "telemetry")).toEqual(before);
    expect(await contentByHour(opened, "blocks")).toHaveLength(12);
  }));
