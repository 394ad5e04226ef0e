import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { UndecodableBlock } from "../../src/domain/errors.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { findDamage, abandonHour, rebuildRollups } from "../../src/pipeline/store/sql/history-repair.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { usageThresholdsDefault } from "../../src/domain/usage/usage-hour.ts";
import { openMemoryStore } from "../support/open-store.ts";

setDefaultTimeout(60_000);

const startMs = Date.UTC(2025, 6, 18);
const key = gpuKeyOf("GPU-a");
const at = (uuid: string, second: number): TestRecord => ({
  ...{ uuid, timeMs: startMs + second * 1000, workload: { container: "c", pod: "p", namespace: "n" } },
  metrics: { temperature: 30, my_metric: 3 },
});

let opened: OpenStore;
beforeAll(async () => void (opened = await openMemoryStore()));
afterAll(() => opened.close());

let messages = 0;
const store = (...records: TestRecord[]) => opened.store.ingest(messageOf(`message ${messages++}`, makeBatch(records)));
const averages = (resolution: "1m" | "1h") =>
  opened.queries.aggregates.byGroup({
    ...{ groupBy: "host", metrics: ["temperature"], gpus: {}, resolution, limit: 100 },
    withExpected: true,
    range: { fromMs: startMs, toMs: startMs + 3_600_000 },
  });

beforeEach(async () => {
  for (const table of ["telemetry", "blocks", "rollups", "unsettled", "late_hours"])
    await opened.client.query(`delete from ${table}`);
  await store(at("GPU-a", 1), at("GPU-a", 2), at("GPU-b", 1));
  await new Settler(opened.client).settle(Infinity);
});

const named = new RegExp(`^the block of gpu_key ${key} from 2025-07-18T00:00:01.000Z cannot be read: `);

describe.each([
  ["times", "'\\xdeadbeef'"],
  ["temperature", "'\\xdeadbeef'"],
  ["others", "'\\xdeadbeef'"],
  ["runs", `'{"x":1}'`],
  ["runs", `'{"ids":[],"occupants":[],"runs":[2,0,0]}'`],
])("a block with damaged %s: %s", (column, damaged) => {
  test("late records for it are refused with its name, and stored once it is deleted", async () => {
    await opened.client.query(`update blocks set ${column} = ${damaged} where gpu_key = $1`, [String(key)]);
    const refused = await store(at("GPU-a", 3), at("GPU-b", 3)).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UndecodableBlock);
    expect((refused as Error).message).toMatch(named);
    expect(await store(at("GPU-b", 2))).toMatchObject({ recordsInserted: 1 });
    await opened.client.query("delete from blocks where gpu_key = $1", [String(key)]);
    expect(await store(at("GPU-a", 3), at("GPU-b", 3))).toMatchObject({ recordsInserted: 2 });
  });
});

test("a question that needs a damaged block fails with its name", async () => {
  await opened.client.query("update blocks set temperature = '\\xdeadbeef' where gpu_key = $1", [String(key)]);
  await expect(averages("1m")).rejects.toThrow(named);
});

test("a question that needs a damaged row of rollups fails with its name, and by the minute, the blocks answer", async () => {
  await opened.client.query("update rollups set keys = '\\xdeadbeef'");
  await expect(averages("1h")).rejects.toThrow(
    /^the row of rollups with first_key \d+ from 2025-07-18T00:00:00.000Z cannot be read: /,
  );
  expect(await averages("1m")).toMatchObject([{ metrics: { temperature: { count: 3 } } }]);
});

const counts = async (resolution: "1m" | "1h") =>
  (await averages(resolution)).map(({ metrics }) => metrics["temperature"]?.count);
const damage = () => Array.fromAsync(findDamage(opened.client));
const rowsOf = async (table: string) => (await opened.client.query(`select from ${table}`)).length;

test("a damaged hour of a GPU that is abandoned is missing by the minute and by the hour, and takes late records as any other", async () => {
  await opened.client.query("update blocks set temperature = '\\xdeadbeef' where gpu_key = $1", [String(key)]);
  expect(await damage()).toEqual([
    {
      problem: expect.stringMatching(named) as string,
      repair: { kind: "abandon", gpuKey: key, hour: startMs },
    },
  ]);
  expect(await abandonHour(opened.client, key, startMs)).toEqual({ blocks: 1, records: 2, keptRecords: 0 });
  expect(await damage()).toEqual([]);
  expect([await counts("1m"), await counts("1h"), await rowsOf("unsettled")]).toEqual([[1], [1], 0]);
  await store(at("GPU-a", 3));
  expect([await counts("1m"), await counts("1h")]).toEqual([[2], [2]]);
  await new Settler(opened.client).settle(Infinity);
  expect([await counts("1m"), await counts("1h")]).toEqual([[2], [2]]);
  expect([await rowsOf("telemetry"), await rowsOf("blocks")]).toEqual([0, 2]);
});

test("what can be read of a damaged hour stays, and is settled again", async () => {
  await opened.client.query(
    `insert into blocks select (jsonb_populate_record(b, '{"from_at": "2025-07-18T00:00:01.500Z"}')).* from blocks b
     where gpu_key = $1`,
    [String(key)],
  );
  await opened.client.query("update blocks set times = '\\xdeadbeef' where from_at = '2025-07-18T00:00:01.500Z'");
  expect(await abandonHour(opened.client, key, startMs)).toEqual({ blocks: 1, records: 2, keptRecords: 2 });
  expect([await counts("1m"), await counts("1h")]).toEqual([[3], [3]]);
  await new Settler(opened.client).settle(Infinity);
  expect([await counts("1m"), await counts("1h"), await rowsOf("unsettled")]).toEqual([[3], [3], 0]);
});

test("late records of an hour whose blocks were deleted by hand are settled once it is abandoned", async () => {
  await opened.client.query("delete from blocks where gpu_key = $1", [String(key)]);
  await store(at("GPU-a", 3));
  await new Settler(opened.client).settle(Infinity);
  expect([await counts("1m"), await counts("1h"), await rowsOf("telemetry")]).toEqual([[2], [3], 1]);
  expect(await abandonHour(opened.client, key, startMs)).toEqual({ blocks: 0, records: 0, keptRecords: 1 });
  await new Settler(opened.client).settle(Infinity);
  expect([await counts("1m"), await counts("1h"), await rowsOf("telemetry")]).toEqual([[2], [2], 0]);
});

test("what can be read is not abandoned, nor what is not there", async () => {
  await expect(abandonHour(opened.client, key, startMs)).rejects.toThrow(
    `every block of gpu_key ${key} in the hour from 2025-07-18T00:00:00Z can be read: nothing was abandoned`,
  );
  expect([await rowsOf("telemetry"), await rowsOf("blocks")]).toEqual([0, 2]);
  await expect(abandonHour(opened.client, key, startMs - 3_600_000)).rejects.toThrow("there are no records of gpu_key");
});

test("damage is found in each hour with blocks or rollups, without a visit to the hours between them", async () => {
  const yearMs = 365 * 24 * 3_600_000;
  await store({ ...at("GPU-a", 1), timeMs: startMs - yearMs });
  await new Settler(opened.client).settle(Infinity);
  // the last hour has only rollups, and the first one only blocks
  await opened.client.query(
    `insert into rollups select (jsonb_populate_record(r, '{"from_at": "2026-07-18T00:00:00Z", "keys": "\\\\xdeadbeef"}')).*
     from rollups r where from_at = '2025-07-18T00:00:00Z'`,
  );
  await opened.client.query("delete from rollups where from_at < '2025-01-01'");
  let statements = 0;
  const counting = Object.create(opened.client, {
    query: {
      value: (...args: Parameters<typeof opened.client.query>) => {
        statements += 1;
        return opened.client.query(...args);
      },
    },
  }) as typeof opened.client;
  expect((await Array.fromAsync(findDamage(counting))).map(({ repair }) => repair)).toEqual([
    { kind: "rebuild", hour: startMs - yearMs },
    { kind: "rebuild", hour: startMs + yearMs },
  ]);
  expect(statements).toBeLessThan(20);
});

test.each(["update rollups set keys = '\\xdeadbeef'", "delete from rollups"])(
  "rollups that are damaged or deleted are made again from the blocks: %s",
  async (statement) => {
    const before = await averages("1h");
    await opened.client.query(statement);
    expect(await damage()).toMatchObject([{ repair: { kind: "rebuild", hour: startMs } }]);
    // as after one of several rows was lost
    if (statement.startsWith("delete")) {
      await store(at("GPU-b", 1));
      await new Settler(opened.client).settle(Infinity);
    }
    const gpus = statement.startsWith("delete") ? 1 : 2;
    expect(await rebuildRollups(opened.client, startMs, usageThresholdsDefault)).toMatchObject({
      gpus,
      unreadable: [],
    });
    expect(await averages("1h")).toEqual(before);
    expect([await damage(), await rowsOf("unsettled")]).toEqual([[], 0]);
  },
);

test("rollups are made again of the GPUs whose blocks can be read; of the others, the blocks are asked", async () => {
  await opened.client.query("update blocks set temperature = '\\xdeadbeef' where gpu_key = $1", [String(key)]);
  await opened.client.query("update rollups set records = '\\xdeadbeef'");
  expect(await rebuildRollups(opened.client, startMs, usageThresholdsDefault)).toEqual({
    ...{ damaged: 1, gpus: 1 },
    unreadable: [expect.stringMatching(named) as string],
  });
  await expect(averages("1h")).rejects.toThrow(named);
  await abandonHour(opened.client, key, startMs);
  expect(await counts("1h")).toEqual([1]);
});
