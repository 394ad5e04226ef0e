import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { SqlTransaction } from "../../src/db/client.ts";
import { deleteOldBlocks, deleteOldRows } from "../../src/db/sql/delete-old.ts";
import { deleteRecordsBefore } from "../../src/db/sql/delete-oldest.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

// The rollup of a GPU's hour is never that of a part of its records, wherever a deletion stops.

setDefaultTimeout(60_000);

const hourMs = 3_600_000;
const begin = Math.floor(Date.now() / hourMs) * hourMs - 400 * 24 * hourMs;

let opened: OpenStore;
beforeEach(async () => void (opened = await openMemoryStore()));
afterEach(() => opened.close());

let messages = 0;
/** Stores records every so many milliseconds, each a degree warmer. */
async function store(uuid: string, { count, fromMs = begin, stepMs = 60_000 }: Stored): Promise<void> {
  const records = Array.from({ length: count }, (_, index) => ({
    uuid,
    timeMs: fromMs + index * stepMs,
    metrics: { temperature: index, total_energy_mj: index * 10 },
  }));
  await opened.store.ingest(messageOf(`whole ${messages++}`, makeBatch(records)));
}
interface Stored {
  readonly count: number;
  readonly fromMs?: number;
  readonly stepMs?: number;
}

async function averages(): Promise<unknown> {
  const groups = await opened.queries.aggregates.byGroup({
    groupBy: "gpu",
    resolution: "1h",
    metrics: ["temperature", "total_energy_mj"],
    gpus: {},
    range: { fromMs: begin, toMs: begin + 3 * hourMs },
    limit: 100,
    withExpected: false,
  });
  return groups.map(({ group, metrics }) => ({ group, metrics }));
}

/** The number of rows of each GPU, ascending. */
async function rowsLeft(table: "telemetry" | "blocks" | "unsettled"): Promise<number[]> {
  const text = `select count(*)::int as rows from ${table} group by gpu_key order by 1`;
  return (await opened.client.query<{ rows: number }>(text)).map(({ rows }) => rows);
}

const deletions = [
  {
    name: "the disk's limit",
    rows: (transaction: SqlTransaction, maxRows: number): Promise<unknown> =>
      deleteRecordsBefore(transaction, "telemetry", { beforeMs: begin + hourMs, maxRows }),
    blocks: (transaction: SqlTransaction, maxRows: number): Promise<unknown> =>
      deleteRecordsBefore(transaction, "blocks", { beforeMs: begin + hourMs, maxRows }),
  },
  {
    name: "retention",
    rows: (transaction: SqlTransaction, maxRows: number): Promise<unknown> => deleteOldRows(transaction, 14, maxRows),
    blocks: (transaction: SqlTransaction, maxRows: number): Promise<unknown> =>
      deleteOldBlocks(transaction, 14, maxRows),
  },
];

describe.each(deletions)("$name", ({ rows, blocks }) => {
  test("leaves the rollup of before a late record, if a step ends within the rows of its hour", async () => {
    await store("late", { count: 60 });
    await settleTo(opened.client, "everything");
    const before = await averages();
    await store("late", { count: 1, fromMs: begin + 30_000 });
    expect([await rowsLeft("telemetry"), await rowsLeft("unsettled")]).toEqual([[61], [1]]);
    await opened.client.transaction((transaction) => rows(transaction, 30));
    expect([await rowsLeft("telemetry"), await rowsLeft("unsettled")]).toEqual([[], []]);
    expect(await averages()).toEqual(before);
    await store("late", { count: 1, fromMs: begin + 31_000 });
    await settleTo(opened.client, "everything");
    expect(await averages()).toEqual(before);
  });

  test("takes the rows of so many GPUs as a step has rows for, each with its whole hour", async () => {
    for (const uuid of ["a", "b", "c", "d"]) await store(uuid, { count: 60 });
    await opened.client.transaction((transaction) => rows(transaction, 61));
    expect(await rowsLeft("telemetry")).toEqual([60, 60]);
    await opened.client.transaction((transaction) => rows(transaction, 1));
    expect(await rowsLeft("telemetry")).toEqual([60]);
    await opened.client.transaction((transaction) => rows(transaction, 61));
    expect(await rowsLeft("telemetry")).toEqual([]);
  });

  test("takes all blocks of a GPU's hour that has several", async () => {
    await store("many", { count: 30 });
    await store("other", { count: 30, fromMs: begin + hourMs / 2 });
    await settleTo(opened.client, "everything");
    // like a GPU with more records than a block may have
    await opened.client.query("update blocks set gpu_key = (select gpu_key from gpus where uuid = 'many')");
    const before = await averages();
    expect(await rowsLeft("blocks")).toEqual([2]);
    await opened.client.transaction((transaction) => blocks(transaction, 1));
    expect(await rowsLeft("blocks")).toEqual([]);
    await store("many", { count: 1, fromMs: begin + 1 });
    await settleTo(opened.client, "everything");
    expect(await averages()).toEqual(before);
  });
});
