import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFleetCsv } from "../dev/fleet-csv.ts";
import { answerTo } from "../dev/left-behind/answers.ts";
import { readFixture } from "../dev/left-behind/fixture.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { type EtcdCluster, startEtcd } from "../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../dev/servers/postgres.ts";
import { until } from "../dev/until.ts";
import { EtcdClient } from "../src/etcd/etcd-client.ts";
import { prefixRange } from "../src/etcd/requests.ts";
import { expectStopped } from "./support/expect-stopped.ts";
import { createDatabase, withClient } from "./support/postgres-database.ts";

// Pipelines that share one etcd, each with a database of its own, as processes of their own.

setDefaultTimeout(120_000);

let etcd: EtcdCluster;
let postgres: PostgresServer;
let client: EtcdClient;
let databases = 0;
const started: PipelineProcess[] = [];
const dir = await mkdtemp(join(tmpdir(), "telemetry-two-"));
const csv = join(dir, "fleet.csv");
let csvRows: number;

beforeAll(async () => {
  [etcd, postgres] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  client = new EtcdClient({ endpoints: etcd.endpoints });
  await writeFleetCsv(csv, { hosts: 2, "gpus-per-host": 4, seconds: 20, seed: 5 });
  csvRows = (await Bun.file(csv).text()).trimEnd().split("\n").length - 1;
}, 300_000);
afterEach(() => expectStopped(started.splice(0)), 60_000);
afterAll(async () => {
  client.close();
  await Promise.all([etcd.stop(), postgres.stop()]);
  await rm(dir, { recursive: true, force: true });
});

const newDatabase = (): Promise<string> => createDatabase(postgres, `pipeline_${(databases += 1)}`, { plain: true });

function start(env: Record<string, string>): PipelineProcess {
  const pipeline = startUnwatched(env);
  started.push(pipeline);
  return pipeline;
}

/** Starts a process that the test itself expects to end. */
function startUnwatched(env: Record<string, string>): PipelineProcess {
  const common = { ETCD_ENDPOINTS: etcd.endpoints.join(","), QUEUE_LEASE_SECONDS: "3", LOG_LEVEL: "warn" };
  return startPipeline({ ...common, BATCH_SIZE: "100", DATA_DIR: join(dir, "unused"), ...env });
}

async function keysUnder(prefix: string): Promise<string[]> {
  const { kvs } = await client.range({ ...prefixRange(prefix), keys_only: true });
  return kvs.map(({ key }) => key.toString());
}

interface Listed {
  readonly count: number;
  readonly data: readonly Record<string, unknown>[];
}

async function list(url: string, path: string): Promise<Listed> {
  return (await answerTo(url, path)) as Listed;
}

async function healthReasons(url: string): Promise<string> {
  const health = (await (await fetch(`${url}/health`)).json()) as { components: Record<string, { reason?: string }> };
  return Object.values(health.components)
    .map(({ reason = "" }) => reason)
    .join("\n");
}

const storedRows = (url: string): Promise<number> =>
  withClient(url, async (database) => {
    const [sum] = await database.query<{ rows: number }>(
      "select coalesce(sum(rows), 0)::int as rows from ingested_messages",
    );
    return sum?.rows ?? 0;
  });

/** A key without the parts that every run makes anew. */
const shapeOf = (key: string): string =>
  key
    .replace(/[0-9A-HJKMNP-TV-Z]{26}$/, "{ulid}")
    .replace(/(idempotency|checkpoints)\/csv%3A[^/]*/, "$1/{source}")
    .replace(/hosts\/[^/]+/, "hosts/{host}")
    .replace(/gpus\/\d+$/, "gpus/{gpu_id}")
    .replace(/(data|boards|owners|ranges|services|signs)\/[^/]+$/, "$1/{}");

/** With the default names, the pipeline has the keys that 29b2323 had, and keys for the queue's store, the process that evaluates faults, and each
 *  process and its leases. */
async function expectOlderKeys(): Promise<void> {
  const { shared } = await readFixture(join(import.meta.dir, "fixtures/29b2323"));
  const older = new Set(shared.etcd.map(({ key }) => shapeOf(key)));
  const ofOthers = /^\/(pipelines|queue\/(?!telemetry\/))/;
  const now = new Set((await keysUnder("/")).filter((key) => !ofOthers.test(key)).map(shapeOf));
  expect([...now.difference(older)]).toEqual([
    "/faults/leader",
    "/queue/telemetry/history",
    "/queue/telemetry/roll-call",
    "/queue/telemetry/signs/{}",
    "/queue/telemetry/store",
    "/services/{}",
  ]);
  // these exist only while an import or an upkeep runs
  const passing = /messages|payloads|claims|attempts|dead|owners|ranges|maintenance/;
  expect([...older].filter((shape) => !passing.test(shape) && !now.has(shape))).toEqual([]);
}

test("the same file given to two pipelines on one etcd is stored whole by both, and neither uses a key of the other", async () => {
  const pipelines = [
    { QUEUE_TOPIC: "telemetry", DATABASE_URL: await newDatabase() },
    { QUEUE_TOPIC: "second", DATABASE_URL: await newDatabase() },
    { QUEUE_TOPIC: "third", CLUSTER_ID: "elsewhere", DATABASE_URL: await newDatabase() },
  ];
  const answers = await Promise.all(
    pipelines.map(async (env) => {
      const pipeline = start({ ...env, CSV_FILE: csv });
      await pipeline.waitFor(/rows read[^]*samples\/s/);
      expect(pipeline.output()).toMatch(new RegExp(`rows read +${csvRows.toLocaleString("en-US")}`));
      expect(await storedRows(env.DATABASE_URL)).toBe(csvRows);
      const url = await urlOf(pipeline);
      await until(async () => (await list(url, "/api/v1/gpus")).count === 8);
      return { clusters: await list(url, "/api/v1/clusters"), all: await list(url, "/api/v1/telemetry?limit=10000") };
    }),
  );
  expect(answers.map(({ all }) => all.count)).toEqual([160, 160, 160]);
  expect(answers[1]?.all).toEqual(answers[0]?.all as Listed);
  expect(answers.map(({ clusters }) => clusters.data.map(({ id }) => id))).toEqual([
    ["local-cluster"],
    ["local-cluster"],
    ["elsewhere"],
  ]);
  const roots = (await keysUnder("/")).map((key) => /^(\/pipelines\/\w+\/\w+|\/queue\/\w+|\/\w+)\//.exec(key)?.[1]);
  expect([...new Set(roots)].sort()).toEqual(
    [
      ...["/checkpoints", "/faults", "/maintenance", "/queue/telemetry", "/services", "/telemetry"],
      ...["second", "third"].flatMap((topic) => [
        `/pipelines/${topic}/checkpoints`,
        `/pipelines/${topic}/faults`,
        `/pipelines/${topic}/services`,
        `/pipelines/${topic}/telemetry`,
        `/queue/${topic}`,
      ]),
    ].sort(),
  );
  await expectOlderKeys();
});

test("two pipelines that simulate fleets in one cluster each show their own fleet, and both keep running", async () => {
  const fleets = await Promise.all(
    ["fleet-one", "fleet-two"].map(async (topic, index) => {
      const env = { QUEUE_TOPIC: topic, DATABASE_URL: await newDatabase(), SIM_INTERVAL: "200ms" };
      const fleet = { SIM_HOSTS: String(2 + index), SIM_GPUS_PER_HOST: "4" };
      return { url: await urlOf(start({ ...env, ...fleet })), gpus: 4 * (2 + index) };
    }),
  );
  for (const { url, gpus } of fleets) await until(async () => (await list(url, "/api/v1/gpus")).count === gpus);
  const newest = async (url: string): Promise<unknown> =>
    (await list(url, "/api/v1/telemetry/latest?limit=1")).data[0]?.["timestamp"];
  for (let reading = 0; reading < 3; reading += 1) {
    for (const { url } of fleets) {
      const before = await newest(url);
      await until(async () => (await newest(url)) !== before);
    }
  }
  for (const { url, gpus } of fleets) expect((await list(url, "/api/v1/gpus")).count).toBe(gpus);
});

test("the same simulated fleet given to two pipelines is read by both", async () => {
  const env = { SIM_HOSTS: "1", SIM_GPUS_PER_HOST: "4", SIM_INTERVAL: "200ms", SIM_SEED: "9" };
  const urls = await Promise.all(
    ["same-one", "same-two"].map(async (topic) =>
      urlOf(start({ ...env, QUEUE_TOPIC: topic, DATABASE_URL: await newDatabase() })),
    ),
  );
  for (const url of urls) await until(async () => (await list(url, "/api/v1/telemetry?limit=100")).count >= 16);
});

test("collectors and gateways refuse a second database on a topic, and name the first database", async () => {
  const first = { QUEUE_TOPIC: "taken", DATABASE_URL: await newDatabase() };
  const imported = start({ ...first, CSV_FILE: csv });
  await imported.waitFor(/rows read[^]*samples\/s/);
  const second = { ...first, DATABASE_URL: await newDatabase() };
  for (const role of ["collector", "gateway", "all"]) {
    const refused = startUnwatched({ ...second, ROLE: role, CSV_FILE: csv });
    expect(await refused.subprocess.exited).toBe(1);
    const name = `${new URL(first.DATABASE_URL).host}${new URL(first.DATABASE_URL).pathname}`;
    expect(refused.output()).toContain(`QUEUE_TOPIC=taken in etcd belongs to another database: PostgreSQL at ${name}`);
    expect(refused.output()).toContain("/queue/taken/store");
  }
  const again = start({ ...first, CSV_FILE: csv });
  await again.waitFor(/is already imported/);
});

test("an operator who gives a topic another database gets the file read again", async () => {
  const env = { QUEUE_TOPIC: "replaced", DATABASE_URL: await newDatabase() };
  const first = start({ ...env, CSV_FILE: csv });
  await first.waitFor(/rows read[^]*samples\/s/);
  await stopPipeline(first);
  for (const prefix of ["/queue/replaced/store", "/queue/replaced/idempotency/", "/pipelines/replaced/checkpoints/"]) {
    await client.txn({ success: [{ request_delete_range: prefixRange(prefix) }] });
  }
  const other = await newDatabase();
  await start({ ...env, DATABASE_URL: other, CSV_FILE: csv }).waitFor(/rows read[^]*samples\/s/);
  expect(await storedRows(other)).toBe(csvRows);
});

test("a collector that starts without etcd stores nothing if etcd then names another database for the topic", async () => {
  const first = { QUEUE_TOPIC: "late", DATABASE_URL: await newDatabase() };
  const collector = start({ ...first, ROLE: "collector" });
  await urlOf(collector);
  await stopPipeline(collector);
  await start({ ...first, ROLE: "streamer", CSV_FILE: csv }).waitFor(/Streamed/);
  const second = { ...first, DATABASE_URL: await newDatabase() };
  await etcd.members[0]?.kill();
  const urls = await Promise.all(["collector", "gateway"].map((role) => urlOf(start({ ...second, ROLE: role }))));
  await etcd.members[0]?.start();
  for (const url of urls)
    await until(async () => (await healthReasons(url)).includes("belongs to another database"), { timeoutMs: 60_000 });
  expect(await storedRows(second.DATABASE_URL)).toBe(0);
  expect((await fetch(`${urls[1]}/health/ready`)).status).toBe(503);
});

test("a store that lacks what the checkpoints count as published is named in the report", async () => {
  const env = { QUEUE_TOPIC: "older-backup", DATABASE_URL: await newDatabase(), CSV_FILE: csv };
  const first = start(env);
  await first.waitFor(/rows read[^]*samples\/s/);
  await stopPipeline(first);
  await withClient(env.DATABASE_URL, (database) =>
    database.query("delete from ingested_messages where from_offset > 20000"),
  );
  const second = start(env);
  await second.waitFor(/was not read, and a part of it is not in the store[^]*bytes not in the store +[\d,]+/);
  await stopPipeline(second);
  const streamer = start({ ...env, ROLE: "streamer" });
  await streamer.waitFor(/published 0 rows.*all of it had been published before/);
});

test("streamers of several clusters share a topic's collectors, but not a file", async () => {
  const env = { QUEUE_TOPIC: "clusters", DATABASE_URL: await newDatabase() };
  const other = join(dir, "other.csv");
  await writeFleetCsv(other, { hosts: 1, "gpus-per-host": 4, seconds: 5, seed: 6 });
  const url = await urlOf(start({ ...env, ROLE: "collector,gateway" }));
  await start({ ...env, ROLE: "streamer", CLUSTER_ID: "a", CSV_FILE: csv }).waitFor(/Streamed/);
  await start({ ...env, ROLE: "streamer", CLUSTER_ID: "b", CSV_FILE: other }).waitFor(/Streamed/);
  await until(async () => (await list(url, "/api/v1/clusters")).count === 2);
  const mixing = await urlOf(start({ ...env, ROLE: "streamer", CLUSTER_ID: "b", CSV_FILE: csv }));
  await until(async () => (await healthReasons(mixing)).includes("is read for CLUSTER_ID=a"));
  expect((await list(url, "/api/v1/clusters/a/hosts")).count).toBe(2);
});
