import { expect, test } from "bun:test";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { customByRecord } from "../../src/domain/batch.ts";
import { RecordReader } from "../../src/pipeline/source/push/record-reader.ts";
import { GpuCache } from "../../src/pipeline/source/labels/gpu-cache.ts";
import { csvFields } from "../../src/pipeline/source/csv/csv-fields.ts";
import { detectLayout } from "../../src/pipeline/source/csv/layout.ts";
import { Rejections } from "../../src/pipeline/source/csv/rejections.ts";
import { RowReader } from "../../src/pipeline/source/csv/row-reader.ts";

// `custom` lists metrics by name, in records of JSON and in cells of tables: what is not usable of it is rejected, the rest is read.

const identity = { timestamp: "2026-03-01T12:00:00Z", uuid: "GPU-1", gpu_id: "0", hostname: "n1" };

interface Read {
  readonly custom: unknown;
  readonly occupants: unknown;
  readonly rejected: readonly unknown[];
  readonly unread: readonly string[];
}

function readRecord(members: object): Read {
  const reader = new RecordReader({ clusterId: "c", hostname: undefined });
  reader.add({ line: 1, index: 0, value: { ...identity, ...members } });
  return shown(reader.takeBatch(), [...reader.unread]);
}

function readRow(cells: Readonly<Record<string, string>>): Read {
  const all: Readonly<Record<string, string>> = { ...identity, ...cells };
  const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const bytes = Buffer.from(Object.values(all).map(quote).join());
  const builder = new BatchBuilder();
  const rejections = new Rejections({ bytes, offset: 0 }, builder, ",");
  const unread: string[] = [];
  const rows = new RowReader({
    ...{
      layout: detectLayout(Object.keys(all), "the table"),
      gpus: new GpuCache("c"),
      builder,
      rejections,
      shiftMs: 0,
    },
    ...{ otherTable: undefined, onUnread: (name: string) => void unread.push(name) },
  });
  rows.read(csvFields(bytes)?.[0] ?? [], { start: 0, end: bytes.length, line: 2 });
  return shown(builder.build(), unread);
}

function shown(batch: ReturnType<BatchBuilder["build"]>, unread: readonly string[]): Read {
  const rejected = batch.rejected.map(({ reason, field, message }) => [reason, field, message]);
  const { occupants, occupantsIndexes } = batch;
  return { custom: customByRecord(batch).get(0), occupants: occupants[occupantsIndexes[0] ?? 0], rejected, unread };
}

const listed = { own: 1.5, value: 2, timestamp: 3, Temperature: "4", gone: null };
const workloads = [
  { container: "", pod: "a", namespace: "ml" },
  { container: "", pod: "b", namespace: "ml" },
];
const expected = {
  ...{ custom: { own: 1.5, value: 2, timestamp: 3, Temperature: 4 }, occupants: workloads },
  ...{ rejected: [], unread: [] },
};

test.each([
  ["an object in JSON", () => readRecord({ custom: listed, occupants: workloads })],
  ["a text in JSON", () => readRecord({ custom: JSON.stringify(listed), occupants: JSON.stringify(workloads) })],
  ["a cell", () => readRow({ custom: JSON.stringify(listed), occupants: JSON.stringify(workloads) })],
  [
    "a cell of the API's table, with what follows from other columns",
    () => {
      const derived = { telemetry_id: "n1_0_1", parent_uuid: "", mig_instance_id: "3", mig_profile: "" };
      return readRow({ ...derived, custom: JSON.stringify(listed), occupants: JSON.stringify(workloads), rollup: "" });
    },
  ],
])("a record with no other metrics than those in custom is read from %s", (_, read) => {
  expect(read()).toEqual(expected);
});

test("values that are no numbers and names that are none are rejected, each by itself, in JSON and in cells", () => {
  const custom = { own: 1, words: "many", flag: true, list: [1], "": 2, ["x".repeat(300)]: 3 };
  for (const { custom: read, rejected } of [readRecord({ custom }), readRow({ custom: JSON.stringify(custom) })]) {
    expect(read).toEqual({ own: 1 });
    expect(rejected).toEqual([
      ["invalid_value", "custom", 'The value "many" of "words" is not a decimal number such as 73.136.'],
      ["invalid_value", "custom", 'The value of "flag" in "custom" is not a number: "true".'],
      ["invalid_value", "custom", 'The value of "list" in "custom" is not a number: "[1]".'],
      ["missing_field", "custom", expect.any(String)],
      ["invalid_field", "custom", expect.any(String)],
    ]);
  }
});

test("a cell that is no JSON of its column's form is rejected, and the rest of the row is read", () => {
  const row = readRow({ gpu_utilization: "5", custom: "many", occupants: "7" });
  expect(row.rejected).toEqual([
    [
      "invalid_value",
      "custom",
      'The cell "many" is not JSON of an object of numbers by their names, such as {"my_metric":1}.',
    ],
    [
      "invalid_value",
      "occupants",
      'The cell "7" is not JSON of a list of workloads, such as [{"namespace":"ml","pod":"a"}].',
    ],
  ]);
  expect(readRecord({ gpu_utilization: 5, occupants: "7" }).unread).toEqual(["occupants"]);
});

test("an average that the API has answered is no record, in JSON and in a table", () => {
  const rollup = { records: 2, min: {}, max: {}, count: {} };
  const reason = ["invalid_field", "rollup", expect.stringContaining("resolution=raw")];
  expect(readRecord({ gpu_utilization: 5, rollup }).rejected).toEqual([reason]);
  expect(readRow({ gpu_utilization: "5", rollup: JSON.stringify(rollup) }).rejected).toEqual([reason]);
});
