import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { UndecodableBlock } from "../../src/domain/errors.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { hourMs } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { openMemoryStore } from "../support/open-store.ts";

// Whatever part of the program decodes a damaged column, in the database or in the process, the error names block and column.

setDefaultTimeout(60_000);

const startMs = Date.UTC(2025, 6, 18);
const key = gpuKeyOf("GPU-a");
const at = (uuid: string, second: number, hostname: string): TestRecord => ({
  ...{ uuid, hostname, timeMs: startMs + second * 1000, workload: { container: "c", pod: "p", namespace: "n" } },
  metrics: { temperature: 30, my_metric: 3 },
});
const range = { fromMs: startMs, toMs: startMs + hourMs };

let opened: OpenStore;
let columns: readonly Record<string, unknown>[];
beforeAll(async () => {
  opened = await openMemoryStore();
  // GPU-a moves within the hour
  const ofA = Array.from({ length: 20 }, (_, index) => at("GPU-a", index, index < 10 ? "one" : "two"));
  await opened.store.ingest(messageOf("all", makeBatch([...ofA, at("GPU-b", 1, "one")])));
  await new Settler(opened.client).settle(Infinity);
  columns = await opened.client.query(
    "select encode(times, 'hex') as times, encode(temperature, 'hex') as temperature, encode(others, 'hex') as others from blocks where gpu_key = $1",
    [String(key)],
  );
});
afterAll(() => opened.close());
beforeEach(async () => {
  const [{ times, temperature, others } = {}] = columns;
  await opened.client.query(
    `update blocks set times = decode($1, 'hex'), temperature = decode($2, 'hex'), others = decode($3, 'hex') where gpu_key = $4`,
    [times, temperature, others, String(key)],
  );
});

const damage = (column: string, expression: string) =>
  opened.client.query(`update blocks set ${column} = ${expression} where gpu_key = $1`, [String(key)]);
const errorOf = (question: Promise<unknown>): Promise<unknown> => question.catch((error: unknown) => error);
const named = (column: string) => {
  return new RegExp(`^the block of gpu_key ${key} from 2025-07-18T00:00:00.000Z cannot be read: column ${column}: `);
};

const within = { hosts: ["two"] };
const coverage = (gpus: object) =>
  opened.queries.coverage.coverage({
    ...{ groupBy: "host", gpus, range, step: "total", nowMs: startMs + 10 * hourMs, limit: 10 },
  });
const inDatabase: Readonly<Record<string, () => Promise<unknown>>> = {
  coverage: () => coverage({}),
  "coverage within bounds": () => coverage({ within }),
  "the number of records within bounds": () => opened.queries.aggregates.countRecords("cluster", within),
};

describe.each([
  ["is of a newer version", "set_byte(times, 0, 255)"],
  ["ends too early", "substring(times for 3)"],
  ["is empty", "'\\x'"],
])("if the column of instants %s", (_, damaged) => {
  test.each(Object.entries(inDatabase))(
    "%s, which the database decodes, fails with the name",
    async (_question, ask) => {
      await damage("times", damaged);
      const error = await errorOf(ask());
      expect(error).toBeInstanceOf(UndecodableBlock);
      expect((error as Error).message).toMatch(named("times"));
    },
  );
});

test.each([
  ["temperature", "temperature"],
  ["others", 'others: series "my_metric"'],
])("the error names the column %s", async (column, name) => {
  await damage(column, column === "others" ? `set_byte(${column}, length(${column}) - 3, 255)` : "'\\xdeadbeef'");
  const error = await errorOf(opened.queries.history.records({ gpus: { uuids: ["GPU-a"] }, range, limit: 100 }));
  expect((error as Error).message).toMatch(named(name));
});

test.each(["keys", "records", "holders", "temperature"])("the error names the column %s of rollups", async (column) => {
  await opened.client.query("create table saved as select * from rollups");
  await opened.client.query(`update rollups set ${column} = '\\xff'`);
  const error = await errorOf(
    opened.queries.aggregates.byGroup({
      ...{ groupBy: "namespace", metrics: ["temperature"], gpus: {}, resolution: "1h", limit: 100, range },
      withExpected: true,
    }),
  );
  expect((error as Error).message).toMatch(
    new RegExp(
      `^the row of rollups with first_key \\d+ from 2025-07-18T00:00:00.000Z cannot be read: column ${column}: `,
    ),
  );
  await opened.client.query("delete from rollups");
  await opened.client.query("insert into rollups select * from saved");
  await opened.client.query("drop table saved");
});

test("telemetry_values names the block that cannot be read", async () => {
  const values = async (series: string): Promise<unknown> =>
    errorOf(opened.client.query(`select * from telemetry_values('${series}', '2025-07-18', '2025-07-19')`));
  expect(await values("temperature")).toHaveLength(21);
  await damage("temperature", "'\\xdeadbeef'");
  const error = (await values("temperature")) as Error;
  expect(error.message).toContain(`the block of gpu_key ${key} from 2025-07-18 00:00:00+00 cannot be read: `);
  expect(await values("my_metric")).toHaveLength(21);
});
