import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../dev/until.ts";
import { type ProvidedDatabase, provideDatabase } from "../dev/servers/provide-database.ts";
import { type ProvidedEtcd, provideEtcd } from "../dev/servers/provide-etcd.ts";
import { startEtcd } from "../dev/servers/etcd.ts";
import { PostgresClient } from "../src/db/postgres-client.ts";
import { systemClock } from "../src/kit/clock.ts";
import { writeFleetCsv } from "../dev/fleet-csv.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { expectNamedParts } from "./support/expect-named-parts.ts";
import { expectStopped } from "./support/expect-stopped.ts";
import { sharedData } from "./support/shared-data.ts";
import { makeDataDir } from "../dev/empty-store.ts";

// Streamers, collectors and gateways, each in a process of its own. They share an etcd and a database. The tests of /health and of
// a secured etcd start processes with several roles instead.

let etcd: ProvidedEtcd;
let database: ProvidedDatabase;
/** Distinguishes this run's queues and files from those of other runs in the same etcd. */
const run = crypto.randomUUID().slice(0, 8);
let started: PipelineProcess[] = [];
const dir = await mkdtemp(join(tmpdir(), "telemetry-roles-"));

beforeAll(async () => void ([etcd, database] = await Promise.all([provideEtcd(), provideDatabase()])), 300_000);
afterEach(async () => {
  await expectStopped(started);
  started = [];
}, 60_000);
afterAll(async () => {
  await Promise.all([etcd.stop(), database.stop()]);
  await rm(dir, { recursive: true, force: true });
});

function start(role: string, env: Record<string, string>): PipelineProcess {
  const shared = {
    ETCD_ENDPOINTS: etcd.endpoints.join(","),
    DATABASE_URL: database.url,
    QUEUE_LEASE_SECONDS: "5",
    LOG_LEVEL: "warn",
    DATA_DIR: join(dir, "unused"),
  };
  const pipeline = startPipeline({ ROLE: role, ...shared, ...env });
  started.push(pipeline);
  return pipeline;
}

async function count(url: string, path: string): Promise<number> {
  return ((await (await fetch(`${url}${path}`)).json()) as { count: number }).count;
}

/** The sum of the rows that streamers report. */
function streamedRows(streamers: readonly PipelineProcess[]): number {
  const rows = streamers.map(({ output }) => Number(/this process published (\d+) rows/.exec(output())?.[1] ?? 0));
  return rows.reduce((sum, each) => sum + each, 0);
}

const realCsv = sharedData("csv", "dcgm_metrics_20250718_134233.csv");

for (const [name, streamers, collectors] of [
  ["three processes", 1, 1],
  ["two streamers, two collectors and a gateway", 2, 2],
] as const) {
  test.skipIf(realCsv === undefined)(
    `${name} import the real CSV once, with the expected counts`,
    async () => {
      const topic = `roles-${streamers}-${run}`;
      // a new name for each run: under the name of an earlier run, the file would be a source that is already imported
      const csv = join(dir, `real-${streamers}-${run}.csv`);
      await Bun.write(csv, Bun.file(realCsv as string));
      const env = { QUEUE_TOPIC: topic, BATCH_SIZE: "100", CLUSTER_ID: topic };
      const gateway = start("gateway", env);
      for (let index = 0; index < collectors; index += 1) start("collector", env);
      const streaming = Array.from({ length: streamers }, () => start("streamer", { ...env, CSV_FILE: csv }));
      const url = await urlOf(gateway);
      for (const streamer of streaming) await streamer.waitFor(/Streamed .* rows/);
      await until(async () => (await count(url, "/api/v1/telemetry?limit=10000")) === 988);
      // the fleet reaches a gateway shortly after the records reach the store
      await until(async () => (await count(url, "/api/v1/hosts")) === 31);
      expect(streamedRows(streaming)).toBe(2470);
      expect(await count(url, "/api/v1/telemetry?limit=10000")).toBe(988);
      expect(await count(url, "/api/v1/gpus")).toBe(247);
      expect(await count(url, "/api/v1/hosts")).toBe(31);
      expect(await count(url, "/api/v1/quarantine")).toBe(0);
      const metrics = await (await fetch(`${await urlOf(streaming[0] as PipelineProcess)}/metrics`)).text();
      expect(metrics).toMatch(/telemetry_etcd_database_bytes\{part="file"\} \d+/);
      expect(metrics).toMatch(/telemetry_publish_pace_ratio 1\n/);
    },
    120_000,
  );
}

test("a file that is larger than a range is streamed exactly once by two streamers together", async () => {
  const csv = join(dir, `fleet-${run}.csv`);
  await writeFleetCsv(csv, { hosts: 8, "gpus-per-host": 8, seconds: 30, seed: 7 });
  const rows = (await Bun.file(csv).text()).split("\n").length - 2;
  const env = { QUEUE_TOPIC: `large-${run}`, CLUSTER_ID: "large", SOURCE_RANGE_MIB: "1", BATCH_SIZE: "500" };
  start("collector", env);
  const streaming = [start("streamer", { ...env, CSV_FILE: csv }), start("streamer", { ...env, CSV_FILE: csv })];
  for (const streamer of streaming) await streamer.waitFor(/Streamed .* rows/);
  expect(streamedRows(streaming)).toBe(rows);
}, 120_000);

test("with LOOP_MODE, two streamers together stream every round exactly once", async () => {
  const csv = join(dir, `loop-${run}.csv`);
  await writeFleetCsv(csv, { hosts: 2, "gpus-per-host": 4, seconds: 2, seed: 3 });
  const rows = (await Bun.file(csv).text()).split("\n").length - 2;
  const env = { QUEUE_TOPIC: `loop-${run}`, CLUSTER_ID: "loop", BATCH_SIZE: "20", LOOP_MODE: "true", CSV_FILE: csv };
  start("collector", env);
  start("streamer", env);
  start("streamer", env);
  const client = new PostgresClient({ url: database.url, maxConnections: 1, clock: systemClock });
  const rounds = async (): Promise<number[]> => {
    const sums = await client
      .query<{ rows: number }>(
        `select sum(rows)::int as rows from ingested_messages where source_id like 'csv:loop-${run}%' group by source_id`,
      )
      .catch(() => []); // the collector may still be creating the tables
    return sums.map((round) => round.rows);
  };
  // the collector claims messages of several rounds at the same time: an earlier round may be incomplete when a later one
  // is complete
  const completeRounds = async (): Promise<number> => (await rounds()).filter((stored) => stored === rows).length;
  await until(async () => (await completeRounds()) >= 3);
  expect(await completeRounds()).toBeGreaterThanOrEqual(3);
  expect(Math.max(...(await rounds()))).toBe(rows);
  await client.close();
}, 120_000);

test("/health shows each service of a process that collects and answers", async () => {
  const url = await urlOf(start("collector,gateway", { QUEUE_TOPIC: `named-${run}`, CLUSTER_ID: "named" }));
  await expectNamedParts(url, ["history", "retention", "etcd", "registry"]);
}, 120_000);

test("a process can use an etcd that requires a certificate and a user, with the CA of ETCD_CA_FILE or the system's CAs", async () => {
  const user = { name: "telemetry", password: "only for this test" };
  const secured = await startEtcd({ members: 1, tls: true, user });
  try {
    const passwordFile = join(dir, "password");
    await Bun.write(passwordFile, `${user.password}\n`);
    const caFile = secured.tls?.caFile ?? "";
    // gRPC's own variable names a file that replaces the system's CAs
    const authorities = { own: { ETCD_CA_FILE: caFile }, system: { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: caFile } };
    for (const [name, authority] of Object.entries(authorities)) {
      // a store of its own needs a topic of its own
      const own = { QUEUE_TOPIC: `secured-${name}`, DATA_DIR: join(dir, `secured-${name}`) };
      await makeDataDir(own.DATA_DIR);
      const pipeline = startPipeline({
        ...{ ETCD_ENDPOINTS: secured.endpoints.join(","), ...authority, ...own },
        ...{ ETCD_CERT_FILE: secured.tls?.certFile ?? "", ETCD_KEY_FILE: secured.tls?.keyFile ?? "" },
        ...{ ETCD_USERNAME: user.name, ETCD_PASSWORD_FILE: passwordFile, LOG_LEVEL: "warn" },
      });
      started.push(pipeline);
      const url = await urlOf(pipeline);
      await until(async () => (await count(url, "/api/v1/gpus")) > 0);
      expect(await count(url, "/api/v1/gpus")).toBeGreaterThan(0);
      await stopPipeline(pipeline);
    }
  } finally {
    await secured.stop();
  }
}, 120_000);
