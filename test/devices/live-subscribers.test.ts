import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { createClient } from "graphql-ws";
import { writeFleetCsv } from "../../dev/fleet-csv.ts";
import { until } from "../../dev/until.ts";
import { type LiveGateway, LiveClient, openLiveGateway } from "../routes/live/live-gateway.ts";
import { batchesOf, CsvFolder, openCsvSource } from "../support/csv-reading.ts";
import { randomFrom } from "../support/random.ts";
import { everyField, type Json, likeRest } from "./every-output.ts";
import { type Expected, independentReading, keyOf } from "./independent-reading.ts";
import { updateKey, updateOf } from "./live-updates.ts";
import { csvOf, troubled } from "./troubled-fleet.ts";

// Subscribers that were there before the first row get the fleet as it happens, and end with the newest record of every device.

const columns = [
  ...["timestamp", "metric_name", "gpu_id", "device", "uuid", "modelName", "Hostname"],
  ...["container", "pod", "namespace", "value", "labels_raw"],
];
const clusterId = "devices";
const dir = mkdtempSync(join(tmpdir(), "devices-live-"));
const files = new CsvFolder();
let gateway: LiveGateway;
let expected: Expected;
let path: string;

beforeAll(async () => {
  gateway = await openLiveGateway();
  const fleet = join(dir, "fleet.csv");
  const size = { hosts: 2, "gpus-per-host": 4, seconds: 180, interval: "30s", seed: 3 };
  await writeFleetCsv(fleet, { ...size, mig: 0.5, "time-slicing": 0.3, vgpu: 0.2, series: 0.5 });
  const rows = troubled(parse(await Bun.file(fleet).text(), { columns: true }), randomFrom(3));
  const timeOf = (row: Partial<Record<string, string>>): number => Date.parse(row["timestamp"] ?? "");
  const csv = csvOf(
    rows.toSorted((a, b) => timeOf(a) - timeOf(b)),
    columns,
  );
  path = files.write(csv);
  expected = independentReading(csv, clusterId);
}, 60_000);
afterAll(async () => {
  await gateway.close();
  files.remove();
  rmSync(dir, { recursive: true });
});

/** Subscribes by GraphQL to every field of every record. */
async function subscribeByGraphql() {
  const fields = await everyField(`http://127.0.0.1:${gateway.port}`, "TelemetryRecord");
  const url = `ws://127.0.0.1:${gateway.port}/graphql`;
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
  const records: Json[] = [];
  const failures: unknown[] = [];
  client.subscribe<{ readonly telemetry: Json }>(
    { query: `subscription { telemetry { ${fields} } }` },
    {
      next: ({ data }) => void records.push(likeRest(data?.telemetry) as Json),
      error: (error) => void failures.push(error),
      complete: () => undefined,
    },
  );
  await until(async () => (await gateway.instrument("telemetry_graphql_subscriptions")) === 1);
  return { records, failures, close: () => client.dispose() };
}

const lastOf = (objects: readonly Json[], name: string): Map<unknown, Json> =>
  new Map(objects.map((each) => [each[name], each]));

test("what subscribers of /ws and of GraphQL get are records of the file, and the last ones are the newest of every device", async () => {
  const overWs = await LiveClient.open(gateway);
  expect(await overWs.ask({ type: "subscribe" })).toMatchObject({ type: "subscribed", gpus: 0 });
  const byGraphql = await subscribeByGraphql();
  const source = await openCsvSource(path, { clusterId, batchRows: 100, batchMaxRows: 50_000 });
  const batches = await batchesOf(source);
  expect(batches.length).toBeGreaterThan(3);
  for (const { batch } of batches) {
    await gateway.collect(batch);
    await overWs.settle();
  }
  const newest = [...expected.latest.values()];
  await until(() => {
    const last = lastOf(byGraphql.records, "uuid");
    return newest.every((record) => last.get(record["uuid"])?.["timestamp"] === record["timestamp"]);
  });
  const updates: Json[] = overWs.messages.filter(({ type }) => type === "telemetry_update");
  for (const update of updates) {
    expect(update).toEqual(updateOf(expected.records.get(updateKey(update)) ?? {}));
  }
  for (const record of byGraphql.records) expect(record).toEqual(expected.records.get(keyOf(record)) ?? {});
  expect(Math.min(updates.length, byGraphql.records.length)).toBeGreaterThan(newest.length);
  const [lastUpdates, lastRecords] = [lastOf(updates, "gpu_uuid"), lastOf(byGraphql.records, "uuid")];
  for (const record of newest) {
    expect(lastUpdates.get(record["uuid"])).toEqual(updateOf(record));
    expect(lastRecords.get(record["uuid"])).toEqual(record);
  }
  expect(byGraphql.failures).toEqual([]);
  overWs.close();
  await byGraphql.close();
});
