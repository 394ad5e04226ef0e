import { expect, setDefaultTimeout, test } from "bun:test";
import { parquetReadObjects } from "hyparquet";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { openParquetRows, type ParquetRow } from "../../src/pipeline/upkeep/archive/parquet-file-rows.ts";

setDefaultTimeout(60_000);

/** A file in memory, which notes the bytes of each reading. */
function fileOf(content: ArrayBuffer) {
  const readings: number[] = [];
  const slice = (from: number, to?: number): Promise<ArrayBuffer> => {
    const bytes = content.slice(from, to);
    readings.push(bytes.byteLength);
    return Promise.resolve(bytes);
  };
  return { byteLength: content.byteLength, slice, readings };
}

const withValues = (row: ParquetRow): ParquetRow =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== undefined));

/** Columns of each kind, with values that are missing at the beginning, in between, and throughout. */
function columnsOf(count: number): ColumnSource[] {
  const column = (of: (index: number) => unknown): unknown[] => Array.from({ length: count }, (_, index) => of(index));
  return [
    { name: "uuid", data: column((index) => `GPU-${index % 97}`), type: "STRING" },
    { name: "timestamp", data: column((index) => new Date(index * 1000)), type: "TIMESTAMP" },
    { name: "temperature", data: column((index) => (index % 5 === 0 ? null : index / 3)), type: "DOUBLE" },
    { name: "late", data: column((index) => (index < count - 2 ? null : index)), type: "DOUBLE" },
    { name: "records", data: column((index) => (index % 2 === 0 ? null : BigInt(index))), type: "INT64" },
    { name: "never", data: column(() => null), type: "DOUBLE" },
    { name: "custom", data: column((index) => (index % 3 === 0 ? { a: index } : null)), type: "JSON" },
  ];
}

test("all rows of a file with groups of any size are read in small parts, without the values that are missing", async () => {
  const count = 150_001;
  // the first group is read in two ranges, and pages end elsewhere
  const content = parquetWriteBuffer({
    ...{ columnData: columnsOf(count), rowGroupSize: [100_000, 1000, 60_000], pageSize: 50_000 },
  });
  const { columns, parts } = await openParquetRows(fileOf(content));
  expect(columns).toEqual(["uuid", "timestamp", "temperature", "late", "records", "never", "custom"]);
  const rows: ParquetRow[] = [];
  let longest = 0;
  for await (const part of parts()) {
    longest = Math.max(longest, part.length);
    rows.push(...part);
  }
  expect(longest).toBeLessThanOrEqual(1000);
  const expected = (await parquetReadObjects({ file: content })).map(withValues);
  expect(rows.length).toBe(count);
  // compared as texts: a difference of so many objects would take minutes to show
  const textOf = (row: ParquetRow | undefined): string =>
    JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
  const wrong = rows.findIndex((row, index) => textOf(row) !== textOf(expected[index]));
  expect([wrong, textOf(rows[wrong])]).toEqual([-1, textOf(expected[wrong])]);
});

test("a group is read from its file at once, and one that is large, column by column", async () => {
  const small = fileOf(parquetWriteBuffer({ columnData: columnsOf(3000), rowGroupSize: 1000 }));
  const { parts } = await openParquetRows(small);
  const before = small.readings.length;
  for await (const _ of parts());
  expect(small.readings.length - before).toBe(3);
  const texts = Array.from({ length: 40 }, (_, index) => `${index}`.repeat(500_000));
  const column = (name: string) => ({ name, data: texts, type: "STRING", encoding: "PLAIN" }) as const;
  const large = fileOf(
    parquetWriteBuffer({ columnData: [column("one"), column("other")], codec: "UNCOMPRESSED", rowGroupSize: 100 }),
  );
  const read: ParquetRow[] = [];
  for await (const part of (await openParquetRows(large)).parts()) read.push(...part);
  expect(read.every(({ one, other }, index) => one === texts[index] && other === texts[index])).toBe(true);
  expect(Math.max(...large.readings)).toBeLessThan(38_000_000);
});
