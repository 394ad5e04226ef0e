import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { UndecodableBlock } from "../../src/domain/errors.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
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
    range: { fromMs: startMs, toMs: startMs + 3_600_000 },
  });

beforeEach(async () => {
  for (const table of ["telemetry", "blocks", "rollups", "unsettled"])
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
