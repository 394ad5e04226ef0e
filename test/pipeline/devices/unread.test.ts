import { afterAll, expect, test } from "bun:test";
import { newestOfBatch } from "../../../src/pipeline/hot/newest-of-batch.ts";
import { decodeBatch, encodeBatch } from "../../../src/pipeline/queue/batch-codec.ts";
import { CsvFolder, exporterHeader, openCsvSource } from "../../support/csv-reading.ts";
import { recordsIn } from "../../support/merged-records.ts";
import { readRows, readText, valuesOf } from "./read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];

test("metrics and labels with the names of JavaScript's own properties arrive in the payload and the hot tier", async () => {
  const { batches } = await readRows(
    folder,
    names.map((metric, index) => ({
      metric,
      value: String(index),
      labels: names.map((name) => `${name}="${name}!"`).join(","),
    })),
  );
  const values = Object.fromEntries(names.map((name, index) => [name, index]));
  const properties = Object.fromEntries(names.map((name) => [name, `${name}!`]));
  for (const { batch } of batches) {
    const decoded = decodeBatch(encodeBatch(batch));
    const [record] = recordsIn(decoded);
    expect(Object.entries(valuesOf(record)).sort()).toEqual(Object.entries(values).sort());
    expect(Object.entries(record?.gpu.properties ?? {}).sort()).toEqual(Object.entries(properties).sort());
    const [update] = newestOfBatch(decoded);
    expect(Object.entries(update?.record.custom ?? {}).sort()).toEqual(Object.entries(values).sort());
    expect(Object.entries(update?.state.gpu.properties ?? {}).sort()).toEqual(Object.entries(properties).sort());
  }
});

test("a numeric column of a wide file that no one knows is a metric outside the catalogue, also as __proto__", async () => {
  const text = [
    "timestamp,gpu_id,uuid,hostname,temperature,fan speed,__proto__,note",
    "1752871354,0,GPU-0,h,40,71.5,3,ok",
  ];
  const { records, unreadColumns, rejected } = await readText(folder, text.join("\n"));
  expect(records.map(valuesOf)).toEqual([
    Object.fromEntries([
      ["temperature", 40],
      ["fan speed", 71.5],
      ["__proto__", 3],
    ]),
  ]);
  expect(unreadColumns).toEqual(["note"]);
  expect(rejected).toEqual([]);
});

test("missing and blank values of a column outside the catalogue are not values", async () => {
  const text = [
    "timestamp,gpu_id,uuid,hostname,temperature,fan",
    "1752871354,0,GPU-0,h,40,N/A",
    "1752871355,0,GPU-0,h,40,2147483632",
  ];
  const { records, unreadColumns } = await readText(folder, text.join("\n"));
  expect(records.map(valuesOf)).toEqual([{ temperature: 40 }, { temperature: 40 }]);
  expect(unreadColumns).toEqual([]);
});

test("columns that are not read are named: extra ones of a long file, texts, repeated and unnamed ones of a wide file", async () => {
  const messages: string[] = [];
  const open = (lines: string[]) =>
    openCsvSource(folder.write(lines.join("\n")), { onWarning: (message) => void messages.push(message) });
  const long = await open([`${exporterHeader},help,unit`]);
  expect(long.unreadColumns).toEqual(["help", "unit"]);
  expect(messages).toHaveLength(2);
  expect(messages[0]).toMatch(/the column "help" has cells that are not read/);
  const wide = await open(["timestamp,gpu_id,uuid,hostname,temperature,,x,x", "1752871354,0,GPU-0,h,40,1,2,3"]);
  expect(wide.unreadColumns).toEqual(["", "x"]);
});

test("differing values of one series and instant are counted as conflicts, and the greatest is kept in any order", async () => {
  for (const values of [
    ["41", "42", "40", "42", "41"],
    ["42", "41", "41", "42", "40"],
    ["40", "42", "41", "41", "42"],
  ]) {
    for (const metric of ["DCGM_FI_DEV_GPU_TEMP", "my_metric"]) {
      const { records, tally } = await readRows(
        folder,
        values.map((value) => ({ metric, value })),
      );
      expect(Object.values(valuesOf(records[0]))).toEqual([42]);
      expect(tally).toMatchObject({ rows: 5, samples: 1, duplicates: 2, conflicts: 2 });
    }
  }
});
