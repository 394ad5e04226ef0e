import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { metricIndexOf, metricNames, metrics } from "../../src/domain/metrics.ts";
import { validateBatch } from "../../src/domain/schema/validate-batch.ts";
import { judgeNumber, readValue } from "../../src/domain/value-text.ts";
import { makeBatch } from "../../dev/make-batch.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource, samplesOf } from "../support/csv-reading.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const int32Blanks = ["2147483632", "2147483633", "2147483634", "2147483635", "2147483647", "2147483632.000000"];
const fp64Blanks = [
  "140737488355328",
  "140737488355329",
  "140737488355330",
  "140737488355331",
  "140737488355328.000000",
];
const int64Blanks = [
  ...["9223372036854775792", "9223372036854775793", "9223372036854775794", "9223372036854775795"],
  ...["9223372036854775807", "9223372036854776000", "9.223372036854776e+18", "9.22337203685478E+18", "9.22337e+18"],
];
const read = (name: string, text: string): unknown => readValue(metricIndexOf(name) ?? name, text);

test("no blank of any width becomes a value of a metric that cannot be that great", () => {
  const narrow = metrics.filter(({ width }) => width !== "int64").map(({ name }) => name);
  for (const name of [
    ...narrow,
    "DCGM_FI_DEV_FAN_SPEED",
    "DCGM_FI_DEV_FB_TOTAL",
    "my_metric",
    'clock_events{clock_event="gpu_idle"}',
  ])
    for (const text of [...int32Blanks, ...fp64Blanks, ...int64Blanks]) {
      expect([name, text, read(name, text)]).toEqual([name, text, "missing"]);
    }
});

test("a 64-bit counter that passes through a narrower number's blank keeps its value, and its own blanks are missing", () => {
  const wide = metrics.filter(({ width }) => width === "int64").map(({ name }) => name);
  expect(wide).toContain("total_energy_mj");
  for (const name of wide) {
    for (const text of [...int32Blanks, ...fp64Blanks]) expect([name, read(name, text)]).toEqual([name, Number(text)]);
    for (const text of int64Blanks) expect([name, text, read(name, text)]).toEqual([name, text, "missing"]);
  }
  for (const name of ["DCGM_FI_PROF_NVLINK_TX_BYTES", "smi_energy_total", 'nvlink_bandwidth_total{nvlink="3"}']) {
    for (const text of int32Blanks) expect([name, read(name, text)]).toEqual([name, Number(text)]);
    for (const text of [...fp64Blanks, ...int64Blanks]) expect([name, read(name, text)]).toEqual([name, "missing"]);
  }
});

test("numbers next to blanks, and the greatest numbers of narrower fields, are values if they are in the metric's range", () => {
  for (const text of ["255", "65535", "2147483631", "2147483648", "2147483632.5", "140737488355327", "140737488355332"])
    expect([text, read("my_metric", text)]).toEqual([text, Number(text)]);
  for (const text of ["255", "127", "4095"]) expect(read("power_draw", text)).toBe(Number(text));
  for (const text of ["4294967295", "2147483648"]) expect(read("total_energy_mj", text)).toBe(Number(text));
  for (const text of ["140737488355332", "2147483648", "2147483631"])
    expect(read("temperature", text)).toMatchObject({ reason: "value_out_of_range" });
});

test("-1 as an unsigned 32-bit integer means 'no value' only for a utilization, in the catalogue or not", () => {
  for (const name of ["gpu_utilization", "dec_utilization", "DCGM_FI_DEV_JPG_UTIL", "vgpu_utilization"])
    expect([name, read(name, "4294967295")]).toEqual([name, "missing"]);
  expect(read("my_metric", "4294967295")).toBe(4294967295);
  expect(read("temperature", "4294967295")).toMatchObject({ reason: "value_out_of_range" });
});

test("the fast lane stores no blank that the slow lane counts as missing, and keeps a counter's real value", async () => {
  const row = (metric: string, value: string): string => exporterRow({ metric, value });
  const values = [...int32Blanks, ...fp64Blanks, ...int64Blanks].flatMap((value) => [
    row("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", value),
    row("DCGM_FI_DEV_FB_USED", value),
    row("fan", value),
  ]);
  const learnt = ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_FB_USED", "fan"].flatMap((metric) => [
    row(metric, "1"),
    row(metric, "1"),
  ]);
  const path = folder.write(`${[exporterHeader, ...learnt, ...values].join("\n")}\n`);
  const inBatches = async (fastLane: boolean) => {
    const batches = await batchesOf(await openCsvSource(path, { batchRows: 1, fastLane }));
    return samplesOf(batches).map(({ metric, value }) => [metric, value]);
  };
  const stored = await inBatches(true);
  expect(stored).toEqual(await inBatches(false));
  const energies = [...int32Blanks, ...fp64Blanks].map((value) => ["total_energy_mj", Number(value)]);
  expect(stored.slice(learnt.length)).toEqual(energies);
});

const timeMs = Date.UTC(2025, 0, 1);
const names = [...metricNames, "fan", "link_bytes", "jpg_util", 'link_errors{nvlink="3"}'];
const numbers = fc.oneof(
  fc.constantFrom(...[...int32Blanks, ...fp64Blanks, ...int64Blanks, "4294967295"].map(Number)),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: 0, max: 100 }),
);

/** The values of a batch: metric and number. */
function valuesOf({ columns, custom }: RecordBatch): unknown[] {
  const inColumns = Array.from(columns, ([name, column]) => Array.from(column, (value) => [name, value]));
  return [...inColumns.flat(), ...custom.map(({ metric, value }) => [metric, value])].filter(
    ([, value]) => !Number.isNaN(value),
  );
}

test("blanks in a batch of an older version are removed, all other values are kept, and the tally adds up", () => {
  fc.assert(
    fc.property(fc.array(fc.dictionary(fc.constantFrom(...names), numbers), { maxLength: 8 }), (records) => {
      const isImpossible = ([name, value]: [string, number]): boolean =>
        judgeNumber(metricIndexOf(name) ?? name, value) === "out_of_range";
      const possible = records.map((metricsOf) =>
        Object.fromEntries(Object.entries(metricsOf).filter((entry) => !isImpossible(entry))),
      );
      const batch = makeBatch(possible.map((values, at) => ({ uuid: `GPU-${at}`, timeMs, metrics: values })));
      const checked = validateBatch(batch);
      const kept = possible.flatMap((values) =>
        Object.entries(values).filter(([name, value]) => judgeNumber(metricIndexOf(name) ?? name, value) !== "missing"),
      );
      expect(valuesOf(checked).map(String).sort()).toEqual(kept.map(String).sort());
      expect(checked.rejected).toEqual([]);
      expect(checked.tally.samples).toBe(kept.length);
      expect(checked.tally.samples + checked.tally.missing).toBe(batch.tally.samples);
      expect(validateBatch(checked)).toBe(checked);
    }),
    { numRuns: 500 },
  );
});
