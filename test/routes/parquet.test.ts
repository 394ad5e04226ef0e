import { expect, setDefaultTimeout, test } from "bun:test";
import { type FileMetaData, parquetMetadata } from "hyparquet";
import { rowsOfGroup } from "../../src/routes/http/formats/parquet-file.ts";
import { rowAnswer } from "../../src/routes/http/formats/row-answer.ts";
import { telemetryRecordSchema } from "../../src/routes/schemas/telemetry-record.ts";
import { readParquet } from "../support/parquet.ts";
import { firstSecondMs, gatewayOver, gpuOf, openFleetStore, type TestGateway } from "./gateway.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

setDefaultTimeout(60_000);

type Row = Readonly<Record<string, unknown>>;

const running = fleetGateway();

const headers = { accept: "application/vnd.apache.parquet", "accept-encoding": "gzip" };

/** Reads a file with a library that did not write it. */
async function fileOf(from: TestGateway, path: string): Promise<{ rows: Row[]; metadata: FileMetaData }> {
  const answer = await from.get(path, { headers });
  expect([answer.status, answer.headers.get("content-type"), answer.headers.get("content-encoding")]).toEqual([
    ...[200, "application/vnd.apache.parquet", null],
  ]);
  const file = await answer.arrayBuffer();
  return { rows: await readParquet(file), metadata: parquetMetadata(file) };
}

const dataOf = async (from: TestGateway, path: string) => ((await from.json(path)) as unknown as { data: Row[] }).data;

/** A row as the JSON answer has it: without what is missing, times as texts, whole numbers as numbers, objects from their JSON. */
function asJson(row: Row): Row {
  const shown = Object.entries(row).map(([name, value]) => {
    if (value instanceof Date) return [name, value.toISOString().replace(".000Z", "Z")];
    if (typeof value === "bigint") return [name, Number(value)];
    const isObject = typeof value === "string" && /^[[{]/.test(value);
    return [name, isObject ? (JSON.parse(value) as unknown) : value];
  });
  return Object.fromEntries(shown.filter(([, value]) => value !== null && value !== undefined)) as Row;
}

function withoutId(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => name !== "telemetry_id"));
}

test("every list is a Parquet file with the values of its JSON", async () => {
  for (const path of [
    ...["/api/v1/gpus", "/api/v1/hosts", "/api/v1/clusters", "/api/v1/metrics", "/api/v1/quarantine"],
    ...["/api/v1/telemetry?resolution=1m&limit=100", "/api/v1/telemetry?resolution=1h", "/api/v1/faults"],
    "/api/v1/usage?start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z",
  ]) {
    const { rows, metadata } = await fileOf(running.gateway, path);
    const expected = (await dataOf(running.gateway, path)).map(withoutId);
    expect([path, rows.map(asJson)]).toEqual([path, expected]);
    expect([path, Number(metadata.num_rows)]).toEqual([path, expected.length]);
  }
});

/** The columns of records that only Parquet has. */
const labels = ["driver_version", "properties"];

test("records in Parquet have the values of their JSON, and the labels of their GPUs as well", async () => {
  const gpus = await dataOf(running.gateway, "/api/v1/gpus");
  const labelsOf = new Map(
    gpus.map((gpu) => [gpu["uuid"], Object.fromEntries(Object.entries(gpu).filter(([name]) => labels.includes(name)))]),
  );
  expect([labelsOf.get("GPU-host-a-0"), labelsOf.get("GPU-host-a-1")]).toEqual([
    { driver_version: "535.129.03", properties: { job: "dcgm" } },
    {},
  ]);
  for (const path of [
    ...["/api/v1/telemetry", "/api/v1/telemetry?limit=3&order=desc", "/api/v1/telemetry?metrics=temperature"],
    ...["/api/v1/telemetry/latest", "/api/v1/gpus/GPU-host-a-0/telemetry"],
  ]) {
    const { rows } = await fileOf(running.gateway, path);
    const expected = (await dataOf(running.gateway, path)).map((row) => ({
      ...withoutId(row),
      ...labelsOf.get(row["uuid"]),
    }));
    expect([path, rows.map(asJson)]).toEqual([path, expected]);
  }
});

test("records have the labels that their GPU had at their instant", async () => {
  const labelled = (timeMs: number, driverVersion: string, properties: Readonly<Record<string, string>>) => {
    return { gpu: gpuOf("alpha", "host-a", 0, { driverVersion, properties }), timeMs, values: { temperature: 40 } };
  };
  const updated = await openFleetStore([
    labelled(firstSecondMs, "550.54.15", { rack: "12", note: 'a, "b"' }),
    labelled(firstSecondMs + 1000, "570.86.10", { rack: "13", note: "-" }),
  ]);
  const { rows } = await fileOf(gatewayOver(updated), "/api/v1/telemetry");
  await updated.close();
  expect(rows.map((row) => labels.map((name) => row[name]))).toEqual([
    ["550.54.15", '{"note":"a, \\"b\\"","rack":"12"}'],
    ["570.86.10", '{"note":"-","rack":"13"}'],
  ]);
});

test("times are instants in UTC, metrics doubles, counts whole numbers, names texts with a dictionary", async () => {
  const { metadata } = await fileOf(running.gateway, "/api/v1/telemetry?limit=100");
  const of = (name: string) => metadata.schema.find((element) => element.name === name);
  expect(of("timestamp")).toMatchObject({
    ...{ type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
  });
  expect(of("temperature")?.type).toBe("DOUBLE");
  expect(of("hostname")).toMatchObject({ type: "BYTE_ARRAY", converted_type: "UTF8" });
  expect(of("telemetry_id")).toBeUndefined();
  const hosts = await fileOf(running.gateway, "/api/v1/hosts");
  expect(hosts.metadata.schema.find(({ name }) => name === "gpu_count")?.type).toBe("INT64");
  const [group] = metadata.row_groups;
  const codecs = new Set(group?.columns.map(({ meta_data: column }) => column?.codec));
  expect([...codecs]).toEqual(["ZSTD"]);
  const encodingsOf = (name: string) =>
    group?.columns.find(({ meta_data: column }) => column?.path_in_schema[0] === name)?.meta_data?.encodings;
  expect([encodingsOf("uuid"), encodingsOf("pod")]).toEqual([
    ["PLAIN", "RLE_DICTIONARY"],
    ["PLAIN", "RLE_DICTIONARY"],
  ]);
});

test("aggregates have a column for each figure", async () => {
  const query = "group_by=host&start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z";
  const { rows } = await fileOf(running.gateway, `/api/v1/telemetry/aggregates?${query}`);
  expect(rows).toContainEqual(
    expect.objectContaining({
      ...{ timestamp: new Date("2025-07-18T20:42:00Z"), hostname: "host-a", temperature_avg: 66, temperature_count: 2 },
    }),
  );
});

test("a list without elements is a file without rows, and HEAD has no body", async () => {
  const path = "/api/v1/telemetry?start_time=2020-01-01T00:00:00Z&end_time=2020-01-02T00:00:00Z";
  const { rows, metadata } = await fileOf(running.gateway, path);
  expect([rows, metadata.schema.some(({ name }) => name === "timestamp")]).toEqual([[], true]);
  const head = await running.gateway.get(path, { method: "HEAD", headers });
  expect([head.headers.get("content-type"), await head.text()]).toEqual([headers.accept, ""]);
});

test("rows that arrive in parts are written in groups, all of them in order, and texts stay as they are", async () => {
  const rows = Array.from({ length: rowsOfGroup + 3001 }, (_, index) => ({
    ...{ timestamp: new Date(firstSecondMs + index * 100).toISOString(), cluster_id: "=1+1", hostname: "host-l" },
    ...{ temperature: index % 100, ...(index % 3 === 0 ? { power_draw: index / 7 } : {}) },
  }));
  async function* inParts(): AsyncGenerator<readonly Row[], void> {
    for (let at = 0; at < rows.length; at += 2000) yield await Promise.resolve(rows.slice(at, at + 2000));
  }
  const columns = ["timestamp", "cluster_id", "hostname", "temperature", "power_draw", "memory_used_mb"];
  const request = new Request("http://gateway/", { headers });
  const answer = await rowAnswer({
    ...{ request, format: "parquet", columns, schema: telemetryRecordSchema, parts: inParts() },
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const file = Buffer.concat(chunks).buffer;
  const metadata = parquetMetadata(file);
  // the beginning, a chunk for each group but the last, and the rest
  expect(chunks.map(({ length }) => length)).toEqual([4, expect.any(Number), expect.any(Number)]);
  expect(metadata.row_groups.map((group) => [Number(group.num_rows), group.columns.length])).toEqual([
    [rowsOfGroup, columns.length],
    [3001, columns.length],
  ]);
  const found = await readParquet(file);
  const expected = rows.map((row) => ({
    power_draw: null,
    memory_used_mb: null,
    ...row,
    timestamp: new Date(row.timestamp),
  }));
  expect(found.map((row) => ({ ...row }))).toEqual(expected);
});
