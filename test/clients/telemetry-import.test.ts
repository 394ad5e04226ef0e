import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { allTime } from "../../src/domain/time-range.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { parquetRecords, recordOf } from "../../scripts/telemetry/import/parquet-records.ts";
import { everything } from "../archive/archived-fleet.ts";
import { type CollectingGateway, openCollectingGateway } from "../archive/collecting-gateway.ts";
import { gatewayOver } from "../routes/gateway.ts";
import { runTelemetry } from "./run-telemetry.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "telemetry-import-"));
const file = join(folder, "records.parquet");
let source: CollectingGateway;
let target: CollectingGateway;
beforeAll(async () => {
  [source, target] = [await openCollectingGateway(everything), await openCollectingGateway([])];
});
afterAll(async () => {
  await source.close();
  await target.close();
  rmSync(folder, { recursive: true });
});

/** What is asked of both. */
const paths = ["/api/v1/telemetry?start_time=2000-01-01T00:00:00Z&limit=10000", "/api/v1/telemetry/latest"];

/** All records of a store, with the labels of their GPUs, which answers about records do not have. */
const storedRecords = async ({ stored }: CollectingGateway) =>
  (await stored.queries.history.records({ gpus: {}, range: allTime, limit: 10_000 })).elements;

test("an exported file that is imported into an empty store answers the same, once more, too", async () => {
  const exported = await runTelemetry(source.port, ["export", "--parquet", file]);
  expect(exported).toMatchObject({ status: 0, errors: "" });
  const imported = await runTelemetry(target.port, ["import", file]);
  expect(imported).toEqual({ status: 0, errors: "", text: "12 records of 1 file(s)\n" });
  const answers: unknown[] = [];
  for (const path of paths) {
    const [expected, found] = [await source.gateway.json(path), await gatewayOver(target.stored).json(path)];
    expect((expected["data"] as readonly unknown[]).length).toBeGreaterThan(6);
    expect(found).toEqual(expected);
    answers.push(expected);
  }
  expect(await storedRecords(target)).toEqual(await storedRecords(source));
  const again = await runTelemetry(target.port, ["import", folder, "--json"]);
  expect(JSON.parse(again.text)).toEqual({ files: 1, failed: 0, records: 12, rejected: 0, unread: [] });
  const reread = gatewayOver(target.stored);
  expect(await Promise.all(paths.map((path) => reread.json(path)))).toEqual(answers as Record<string, unknown>[]);
});

/** A record a row, as pandas writes its tables, with `shelf` as a column of structures. */
function parquetOf(shelf: readonly unknown[], ...metrics: readonly string[]): ArrayBuffer {
  const text = (name: string, data: string[]) => ({ name, data, type: "STRING" }) as const;
  return parquetWriteBuffer({
    columnData: [
      text("timestamp", ["2026-01-05T12:00:00Z"]),
      text("uuid", ["GPU-5ca1ab1e-0000-4000-8000-000000000009"]),
      text("hostname", ["lab-9"]),
      { name: "gpu_id", data: [0n], type: "INT64" },
      ...["temperature", ...metrics].map((name) => ({ name, data: [45n], type: "INT64" as const })),
      { name: "__index_level_0__", data: [7n], type: "INT64" },
      { name: "shelf", data: [...shelf], type: "JSON" },
    ],
  });
}

test("columns that are not read are named, and a file that cannot be read does not keep others from it", async () => {
  const tables = join(folder, "tables");
  mkdirSync(tables);
  writeFileSync(join(tables, "a.parquet"), "PAR1 but not Parquet PAR1");
  writeFileSync(join(tables, "b.parquet"), new Uint8Array(parquetOf([{ rows: [1] }])));
  const { status, text, errors } = await runTelemetry(target.port, ["import", tables]);
  expect([status, text]).toEqual([1, "1 records of 1 file(s); 1 file(s) could not be read\n"]);
  expect(errors).toContain("a.parquet cannot be read as Parquet");
  expect(errors).toContain('These columns are not read: "__index_level_0__", "shelf"');
  const found = (await gatewayOver(target.stored).json(
    "/api/v1/telemetry?hostname=lab-9&start_time=2000-01-01T00:00:00Z",
  )) as {
    data: Record<string, unknown>[];
  };
  expect(found.data).toMatchObject([{ temperature: 45 }]);
  expect(found.data[0]?.["custom"] ?? {}).toEqual({});
});

test("whole numbers of 64 bits within lists and structures are no error", () => {
  const row = { ids: [1n, 2n], nested: { id: 3n, at: new Date(0) }, custom: { a: [4n] } };
  expect(JSON.stringify(recordOf(row, "a file"))).toBe(
    '{"ids":[1,2],"nested":{"id":3,"at":"1970-01-01T00:00:00.000Z"},"custom":{"a":[4]}}',
  );
});

test("what is no file of records is refused in a sentence, and pushes nothing", async () => {
  const damaged = join(folder, "damaged.parquet");
  writeFileSync(damaged, "PAR1 but not Parquet PAR1");
  const empty = join(folder, "empty");
  mkdirSync(empty);
  const averages = join(folder, "averages.parquet");
  await runTelemetry(source.port, ["export", "--parquet", averages, "--resolution", "1h"]);
  for (const [from, problem] of [
    [damaged, "cannot be read as Parquet"],
    [empty, "has no files that end in .parquet"],
    [averages, "has averages"],
    [join(folder, "none"), "cannot list the files"],
  ] as const) {
    const { status, errors } = await runTelemetry(target.port, ["import", from]);
    expect([status, errors]).toEqual([1, expect.stringContaining(problem) as string]);
    expect(errors).not.toContain("    at ");
  }
});

test.each([
  ["fleet.csv", "timestamp,uuid,gpu_id,hostname,temperature\n", "is text, not Parquet: 'bun run telemetry upload"],
  ["fleet.csv.gz", Bun.gzipSync("timestamp,uuid"), "is packed with gzip, not Parquet: 'bun run telemetry upload"],
  ["fleet.csv.zst", Bun.zstdCompressSync("timestamp,uuid"), "is packed with zstd, not Parquet: 'bun run telemetry"],
  ["fleet.json", '[{"uuid":"GPU-1"}]', "is JSON, not Parquet: push it with curl --data-binary @"],
  ["fleet.ndjson", '{"uuid":"GPU-1"}\n{"uuid":"GPU-2"}\n', "'Content-Type: application/x-ndjson'"],
  ["smi.xml", '<?xml version="1.0" ?>\n<nvidia_smi_log>', "a streamer with CSV_FILE="],
  ["nothing", "", "is empty, not Parquet"],
])("a file %s that is no Parquet is refused with the command that reads it", async (name, content, sentence) => {
  writeFileSync(join(folder, name), content);
  const opened = await openArchiveFiles(folder).open(name);
  await expect(parquetRecords(opened, name).next()).rejects.toThrow(sentence);
});

test("import of a CSV file ends in a sentence that names upload", async () => {
  const path = join(folder, "named.csv");
  writeFileSync(path, "timestamp,uuid,gpu_id,hostname,temperature\n");
  const { status, errors } = await runTelemetry(target.port, ["import", path]);
  expect([status, errors.split("\n")[0]]).toEqual([1, expect.stringContaining("is text, not Parquet") as string]);
});

test("a metric whose name is likely a misspelling is named", async () => {
  const path = join(folder, "misspelled.parquet");
  writeFileSync(path, new Uint8Array(parquetOf([{}], "temprature")));
  const { status, errors } = await runTelemetry(target.port, ["import", path]);
  expect(status).toBe(0);
  expect(errors).toContain('The metric "temprature" is stored under its own name (did you mean temperature?)');
});
