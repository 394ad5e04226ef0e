import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allAnswers, type Answers, answerTo, fleetAnswers } from "../../dev/left-behind/answers.ts";
import { restoreEtcd } from "../../dev/left-behind/etcd-content.ts";
import { type LeftBehind, readFixture } from "../../dev/left-behind/fixture.ts";
import { makeBatch } from "../../dev/make-batch.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { clientTools } from "../../dev/servers/client-tools.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { until } from "../../dev/until.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { commandsUnder, runCommands } from "../support/doc-commands.ts";
import { expectStopped } from "../support/expect-stopped.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { expectSameAnswers } from "./expect-same-answers.ts";
import { restoreDump, restoreRows } from "./restored-database.ts";

// A database and an etcd of 29b2323 (test/fixtures/), whose processes were killed in the middle of an import: six messages in
// the queue, two of them claimed, a dead letter, a range that a dead streamer owns, and the hot tier.

setDefaultTimeout(120_000);

let left: LeftBehind;
let postgres: PostgresServer;
const started: PipelineProcess[] = [];
const clusters: EtcdCluster[] = [];
const dir = await mkdtemp(join(tmpdir(), "telemetry-left-"));
/** Nothing listens there. */
const noDatabase = "postgres://postgres@127.0.0.1:1/none";
/** 29b2323 has these migrations. */
const migrationCount = 4;

beforeAll(async () => {
  [left, postgres] = await Promise.all([readFixture(join(import.meta.dir, "../fixtures/29b2323")), startPostgres()]);
  await Bun.write(join(dir, left.inputs.halfRead.name), left.inputs.halfRead.text);
}, 300_000);
afterEach(async () => {
  await expectStopped(started.splice(0));
  for (const etcd of clusters.splice(0)) await etcd.stop();
}, 60_000);
afterAll(async () => {
  await postgres.stop();
  await rm(dir, { recursive: true, force: true });
});

function start(role: string, env: Record<string, string>): PipelineProcess {
  const common = {
    ROLE: role,
    BATCH_SIZE: "100",
    LOG_LEVEL: "warn",
    QUEUE_LEASE_SECONDS: "5",
    HOT_WINDOW_SECONDS: "600",
  };
  const pipeline = startPipeline({ ...common, ...env });
  started.push(pipeline);
  return pipeline;
}

async function restoredDatabase(name: string): Promise<string> {
  const url = await createDatabase(postgres, name, { plain: true });
  await restoreDump(url, left.shared.postgresSql);
  return url;
}

async function restoredEtcd(): Promise<string> {
  const etcd = await startEtcd({ members: 1 });
  clusters.push(etcd);
  const client = new EtcdClient({ endpoints: etcd.endpoints });
  await restoreEtcd(client, left.shared.etcd);
  client.close();
  return etcd.endpoints.join(",");
}

/** The answers of a new gateway, once it has loaded the fleet. */
async function answersOf(
  env: Record<string, string>,
  read: (url: string) => Promise<Answers> = allAnswers,
): Promise<Answers> {
  const url = await urlOf(start("gateway", env));
  await until(async () => ((await answerTo(url, "/api/v1/gpus")) as { count: number }).count === 6);
  return read(url);
}

test("a PostgreSQL store of 29b2323 is migrated on start and gives the same answers", async () => {
  const url = await restoredDatabase("started");
  expectSameAnswers(await answersOf({ DATABASE_URL: url }), left.shared.withoutEtcd);
});

test("a PostgreSQL store of 29b2323 is migrated by db:migrate and gives the same answers", async () => {
  const url = await restoredDatabase("migrated");
  const early = startPipeline({ ROLE: "gateway", DATABASE_URL: url, MIGRATE_ON_START: "false" });
  expect(await early.subprocess.exited).toBe(1);
  expect(early.output()).toContain("older schema");
  const script = join(import.meta.dir, "../../scripts/db-migrate.ts");
  expect(await Bun.$`${process.execPath} ${script}`.env({ ...process.env, DATABASE_URL: url }).text()).toContain(
    "is up to date",
  );
  const answers = await answersOf({ DATABASE_URL: url, MIGRATE_ON_START: "false" });
  expectSameAnswers(answers, left.shared.withoutEtcd);
});

test("a TimescaleDB store of 29b2323 is migrated on start and gives the same answers", async () => {
  const url = await createDatabase(postgres, "timescale");
  await restoreRows(url, left.shared.postgresSql, migrationCount);
  const older = Object.entries(left.shared.withoutEtcd);
  // 29b2323 itself gave other averages by namespace on TimescaleDB than on PostgreSQL
  const comparable = older.filter(([path]) => !path.includes("group_by=namespace"));
  expect(comparable.length).toBeLessThan(older.length);
  expectSameAnswers(await answersOf({ DATABASE_URL: url }), Object.fromEntries(comparable));
});

test("a hot tier of 29b2323 shows the fleet that it showed, without the store", async () => {
  const env = { ETCD_ENDPOINTS: await restoredEtcd(), DATABASE_URL: noDatabase };
  expectSameAnswers(await answersOf(env, fleetAnswers), left.shared.withoutDatabase);
});

test("new processes go on with the queue and the half-read file of 29b2323, and store no message twice", async () => {
  const shared = { ETCD_ENDPOINTS: await restoredEtcd(), DATABASE_URL: await restoredDatabase("continued") };
  const gateway = await urlOf(start("gateway", shared));
  await until(async () => ((await answerTo(gateway, "/api/v1/gpus")) as { count: number }).count === 6);
  expectSameAnswers(await allAnswers(gateway), left.shared.answers);
  start("collector", shared);
  const streamer = start("streamer", { ...shared, CSV_FILE: join(dir, left.inputs.halfRead.name) });
  const [, rows] = await streamer.waitFor(/this process published (\d+) rows/);
  expect(Number(rows)).toBe(left.shared.rowsToPublish);
  await until(async () => {
    const { data } = (await answerTo(gateway, "/api/v1/pipeline")) as { data: { queue: { depth: number } } };
    return data.queue.depth === 0;
  });
  await until(async () => Bun.deepEquals(await newestOf(gateway), newestIn(left.shared.finished)));
  expectSameAnswers(await allAnswers(gateway), left.shared.finished, ["seen_at"]);
  const { data } = (await answerTo(gateway, "/api/v1/pipeline/dead-letters")) as { data: { id: string }[] };
  expect(data.map(({ id }) => id)).toEqual(["01JZ0000000000000000000000"]);
});

test("GPUs that a pipeline of another topic left in a hot tier of 29b2323 are gone after the documented cure", async () => {
  const shared = { ETCD_ENDPOINTS: await restoredEtcd(), DATABASE_URL: await restoredDatabase("cured") };
  await leaveForeignGpu(shared.ETCD_ENDPOINTS);
  const before = start("gateway", shared);
  const listed = async (url: string) => (await answerTo(url, "/api/v1/gpus")) as { data: { uuid: string }[] };
  const first = await urlOf(before);
  await until(async () => (await listed(first)).data.length === 7);
  expect((await listed(first)).data.map(({ uuid }) => uuid)).toContain("GPU-of-another-topic");
  await stopPipeline(before);
  const cure = (await commandsUnder("hot-tier.md", "Inspecting the hot tier")).filter((each) => each.includes(" del "));
  expect(cure).toEqual(["etcdctl del --prefix /telemetry/"]);
  expect(await Bun.file(join(import.meta.dir, "../../docs/operations.md")).text()).toContain(`\`${cure.join()}\``);
  await runCommands(dir, cure, { tools: await clientTools({ etcdEndpoint: shared.ETCD_ENDPOINTS }), env: {} });
  const after = await urlOf(start("gateway", shared));
  await until(async () => (await listed(after)).data.length === 6);
  expectSameAnswers(await allAnswers(after), left.shared.answers);
  start("collector", shared);
  start("streamer", { ...shared, CSV_FILE: join(dir, left.inputs.halfRead.name) });
  await until(async () => Bun.deepEquals(await newestOf(after), newestIn(left.shared.finished)), { timeoutMs: 60_000 });
  expectSameAnswers(await allAnswers(after), left.shared.finished, ["seen_at"]);
});

/** Writes a GPU as a pipeline of another topic did: the keys of 29b2323 were those of the default topic, whatever the topic was. */
async function leaveForeignGpu(endpoints: string): Promise<void> {
  const client = new EtcdClient({ endpoints: endpoints.split(",") });
  const ignored = { onCoalesced: () => undefined, onRefused: () => undefined };
  const tier = new EtcdHotTier({ client, topic: defaultTopic, clock: systemClock, windowSeconds: 600, ...ignored });
  const record = { uuid: "GPU-of-another-topic", timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 1 } };
  await tier.write(makeBatch([record]));
  client.close();
}

const newestPath = "/api/v1/telemetry/latest?limit=10000";

/** The instants of the newest records, which reach a gateway shortly after the store. */
function newestIn(answers: Answers): string[] {
  return (answers[newestPath] as { data: { timestamp: string }[] }).data.map(({ timestamp }) => timestamp);
}

async function newestOf(url: string): Promise<string[]> {
  return newestIn({ [newestPath]: await answerTo(url, newestPath) });
}
