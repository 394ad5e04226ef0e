import { afterAll, expect, test } from "bun:test";
import type { GpuUpdate } from "../../../src/pipeline/hot/newest-of-batch.ts";
import { newestOfBatch } from "../../../src/pipeline/hot/newest-of-batch.ts";
import { CsvFolder } from "../../support/csv-reading.ts";
import { readRows, rowTimeMs } from "./read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const at = (second: number) => ({ timestamp: new Date(rowTimeMs + second * 1000).toISOString() });

test("if a GPU moves to another host within a batch, each record keeps its host, in any order of the rows", async () => {
  const rows = [0, 1, 2, 3].map((second) => ({ ...at(second), host: second < 2 ? "old-host" : "new-host" }));
  for (const ordered of [rows, rows.toReversed()]) {
    const { records, batches } = await readRows(folder, ordered);
    expect(records.map(({ gpu }) => gpu.hostname)).toEqual(["old-host", "old-host", "new-host", "new-host"]);
    expect(batches).toHaveLength(1);
    const [update] = batches.flatMap(({ batch }) => newestOfBatch(batch)) as [GpuUpdate];
    expect(update.state).toMatchObject({ gpu: { hostname: "new-host" }, firstSeenAtMs: rowTimeMs });
    expect(update.record).toMatchObject({ timeMs: rowTimeMs + 3000, reported: { hostname: "new-host" } });
  }
});

test("drivers, models, indexes and labels that change within a batch change at their instants", async () => {
  const driver = (version: string) => ({ labels: `DCGM_FI_DRIVER_VERSION="${version}",job="a"` });
  const { records, batches } = await readRows(folder, [
    { ...at(0), ...driver("535") },
    { ...at(1), ...driver("550"), gpu: "3" },
    { ...at(2), labels: 'job="b"', gpu: "3" },
  ]);
  const seen = records.map(({ gpu }) => [gpu.driverVersion, gpu.gpuId, gpu.properties]);
  expect(seen).toEqual([
    ["535", 0, { job: "a" }],
    ["550", 3, { job: "a" }],
    ["", 3, { job: "b" }],
  ]);
  // what the last row leaves open stays as it was
  const [update] = batches.flatMap(({ batch }) => newestOfBatch(batch)) as [GpuUpdate];
  expect(update.state.gpu).toMatchObject({ driverVersion: "550", gpuId: 3, properties: { job: "b" } });
  expect([...update.state.openSinceMs]).toEqual([["driverVersion", rowTimeMs + 1000]]);
});

test("rows of one instant complete each other: a text wins over an empty one, and the greater text over the other", async () => {
  const rows = [
    { labels: 'DCGM_FI_DRIVER_VERSION="535"' },
    { labels: 'job="a"', metric: "DCGM_FI_DEV_GPU_TEMP" },
    { labels: 'job="b",rack="r"', metric: "DCGM_FI_DEV_POWER_USAGE" },
  ];
  for (const ordered of [rows, rows.toReversed()]) {
    const { batches, records } = await readRows(folder, ordered);
    expect(records.map(({ gpu }) => gpu)).toMatchObject([
      { driverVersion: "535", properties: { job: "b", rack: "r" } },
    ]);
    expect(batches[0]?.batch.gpus).toHaveLength(1);
  }
});

test("a serial number that a row reports later in the batch is not known before", async () => {
  const serial = { metric: "DCGM_FI_DEV_SERIAL", value: "SN-1" };
  const { records } = await readRows(folder, [at(0), { ...at(1), ...serial }, at(1), at(2), { ...at(3), ...serial }]);
  expect(records.map(({ gpu, metrics }) => [gpu.properties["serial"], metrics.size])).toEqual([
    [undefined, 1],
    ["SN-1", 1],
    [undefined, 1],
    ["SN-1", 0],
  ]);
});
