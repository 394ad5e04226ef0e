import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { checkpointsPrefix } from "../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { endOf, recordsAt, sendFile, storedOf, uploadAt, wideTable } from "./uploaded-file.ts";

// Two gateways and two collectors share etcd and a database: no process has a disk that another one reads.

const dir = await mkdtemp(join(tmpdir(), "telemetry-shared-uploads-"));
const topic = `uploads-${crypto.randomUUID().slice(0, 8)}`;
const rows = 20_000;
let etcd: ProvidedEtcd;
let server: ProvidedDatabase;
let database: string;
const running = new Set<PipelineProcess>();

beforeAll(async () => {
  [etcd, server] = await Promise.all([provideEtcd(), provideDatabase()]);
  database = await createDatabase(server, "uploads_shared", { plain: true });
}, 300_000);
afterAll(async () => {
  for (const pipeline of running) await stopPipeline(pipeline, "SIGKILL");
  await Promise.all([etcd.stop(), server.stop()]);
  await rm(dir, { recursive: true, force: true });
}, 60_000);

/** So slow that the kill comes while rows are read: the table has 60,000 samples. */
const slow = { RATE_LIMIT_SAMPLES_PER_SECOND: "10000" };

async function start(
  role: string,
  env: Record<string, string> = {},
): Promise<{ readonly pipeline: PipelineProcess; readonly url: string }> {
  const pipeline = startPipeline({
    ...{ ROLE: role, ETCD_ENDPOINTS: etcd.endpoints.join(","), QUEUE_TOPIC: topic, DATABASE_URL: database },
    ...{ QUEUE_LEASE_SECONDS: "2", BATCH_SIZE: "1000", SOURCE_RANGE_MIB: "1", LOG_LEVEL: "warn", DATA_DIR: dir },
    ...env,
  });
  running.add(pipeline);
  return { pipeline, url: await urlOf(pipeline) };
}

async function kill(pipeline: PipelineProcess): Promise<void> {
  running.delete(pipeline);
  await stopPipeline(pipeline, "SIGKILL");
}

test("two collectors share an upload, one goes on when the other is killed, and each row is stored once", async () => {
  const [first, gateway, other] = await Promise.all([start("collector", slow), start("gateway"), start("gateway")]);
  const table = wideTable(rows, "shared-1");
  const { data } = await sendFile(gateway.url, Bun.gzipSync(table), "fleet.csv.gz");
  await kill(gateway.pipeline);
  await until(async () => (await uploadAt(other.url, data.id)).rows_read > 0, { everyMs: 5 });
  await kill(first.pipeline);
  const between = await uploadAt(other.url, data.id);
  expect([between.state, between.rows_read < rows]).toEqual(["reading", true]);

  await start("collector");
  const small = await sendFile(other.url, wideTable(100, "shared-2"), "small.csv");
  expect(await endOf(other.url, small.data.id)).toMatchObject({ state: "done", records_stored: storedOf(100) });
  const done = await endOf(other.url, data.id);
  expect(done).toMatchObject({ state: "done", message: "", rows_read: rows, records_stored: storedOf(rows) });
  expect(done.rejected).toEqual({ invalid_timestamp: rows / 1000 });
  expect(await recordsAt(other.url)).toBe(storedOf(rows) + storedOf(100));

  const left = await withClient(database, (client) => client.query("select upload_id from upload_parts"));
  expect(left).toEqual([]);
  await until(async () => (await positions()).length === 0);
}, 120_000);

/** The keys in etcd of the uploads' positions. */
async function positions(): Promise<string[]> {
  const client = new EtcdClient({ endpoints: etcd.endpoints });
  try {
    const { kvs } = await client.range({ ...prefixRange(checkpointsPrefix(topic)), keys_only: true });
    return kvs.map(({ key }) => key.toString()).filter((key) => key.includes("upload"));
  } finally {
    client.close();
  }
}
