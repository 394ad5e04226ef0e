import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { clientTools } from "../../dev/servers/client-tools.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { compareFile } from "../../scripts/verify/compare-file.ts";
import { recordsInStore } from "../../scripts/verify/stored-records.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { QueueKeys } from "../../src/pipeline/queue/etcd/queue-keys.ts";
import { openCsvSource } from "../support/csv-reading.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { commandsUnder, runCommands } from "../support/doc-commands.ts";
import { writeFleetCsv } from "../../dev/fleet-csv.ts";
import { withClient } from "../support/postgres-database.ts";
import { type PipelineProcess, startPipeline, stopPipeline } from "../../dev/pipeline-process.ts";

// Checks rows of the table in docs/backup.md about a database and a queue of different ages.

setDefaultTimeout(120_000);

const page = "backup.md";
let folder: string;
let csvFile: string;
let server: PostgresServer;
/** The etcd that is never restored. */
let etcd: EtcdCluster;
const others: EtcdCluster[] = [];
/** The numbers of the file's rows and messages. */
const figures = { rows: 0, messages: 0 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telemetry-older-"));
  csvFile = join(folder, "fleet.csv");
  await writeFleetCsv(csvFile, { hosts: 2, "gpus-per-host": 8, seconds: 60, seed: 3 });
  figures.rows = (await Bun.file(csvFile).text()).trimEnd().split("\n").length - 1;
  [server, etcd] = await Promise.all([startPostgres(), startEtcd({ members: 1 })]);
  await importWithBackups();
}, 300_000);
afterAll(async () => {
  await Promise.all([server, etcd, ...others].map((service) => service.stop()));
  await rm(folder, { recursive: true, force: true });
});

const startOn = (role: string, { endpoints }: EtcdCluster, more: Record<string, string> = {}): PipelineProcess =>
  startPipeline({
    ...{ ROLE: role, CSV_FILE: csvFile, ETCD_ENDPOINTS: endpoints.join(","), DATABASE_URL: server.url },
    ...{ QUEUE_LEASE_SECONDS: "3", BATCH_SIZE: "50", LOG_LEVEL: "warn", ...more },
  });

async function run(commands: readonly string[], to: EtcdCluster = etcd): Promise<void> {
  const tools = await clientTools({ etcdEndpoint: to.endpoints[0] });
  await runCommands(folder, commands, { tools, env: { DATABASE_URL: server.url } });
}

async function stored(): Promise<{ messages: number; rows: number }> {
  const [sums] = await withClient(server.url, (client) =>
    client.query<{ messages: number; rows: number }>(
      "select count(*)::int as messages, coalesce(sum(rows), 0)::int as rows from ingested_messages",
    ),
  );
  return sums as NonNullable<typeof sums>;
}

async function queuedIn({ endpoints }: EtcdCluster): Promise<number> {
  const client = new EtcdClient({ endpoints });
  const { count } = await client.range({ ...prefixRange(new QueueKeys("telemetry").messages), count_only: true });
  client.close();
  return Number(count);
}

/** Imports the file. During the import, saves first the queue and then the database, so that the saved queue contains messages
 *  that are already stored in the saved database. */
async function importWithBackups(): Promise<void> {
  const collector = startOn("collector", etcd, { COLLECTOR_WORKERS: "1" });
  await collector.waitFor(/health\s+http/);
  const streamer = startOn("streamer", etcd, { RATE_LIMIT_SAMPLES_PER_SECOND: "3000" });
  await until(async () => (await stored()).messages > 5);
  collector.subprocess.kill("SIGSTOP");
  const before = (await stored()).messages;
  await until(async () => (await queuedIn(etcd)) > 10);
  const [saveQueue, dump] = await commandsUnder(page, "Back up");
  await run([saveQueue as string]);
  collector.subprocess.kill("SIGCONT");
  await until(async () => (await stored()).messages > before + 5);
  await run([dump as string]);
  expect((await stored()).rows).toBeLessThan(figures.rows);
  await streamer.waitFor(/Streamed /);
  await until(async () => (await queuedIn(etcd)) === 0);
  await Promise.all([stopPipeline(streamer), stopPipeline(collector)]);
  await expectExactlyOnce();
  figures.messages = (await stored()).messages;
}

/** Counts the differences between the file and the store. */
async function differences(): Promise<number> {
  const source = await openCsvSource(csvFile);
  const { queries, close } = await openPostgresStore({ url: server.url, migrate: false });
  try {
    return (await compareFile(source, recordsInStore(queries))).differenceCount;
  } finally {
    await close();
  }
}

async function expectExactlyOnce(): Promise<void> {
  expect(await differences()).toBe(0);
  // a row that two messages stored would count twice
  expect((await stored()).rows).toBe(figures.rows);
}

/** Runs a pipeline until the file is imported and the queue is empty.
 *  @returns the pipeline's output */
async function runToEnd(on: EtcdCluster): Promise<string> {
  const pipeline = startOn("streamer,collector", on);
  await pipeline.waitFor(/records stored.*samples\/s/s);
  await stopPipeline(pipeline);
  expect(await queuedIn(on)).toBe(0);
  return pipeline.output();
}

const restoreDatabase = async (): Promise<void> => run(await commandsUnder(page, "Restore TimescaleDB"));

async function etcdFrom(snapshotFile?: string): Promise<EtcdCluster> {
  const cluster = await startEtcd({ members: 1, ...(snapshotFile && { snapshotFile }) });
  others.push(cluster);
  return cluster;
}

const savedQueue = (): string => join(folder, "queue.snapshot");

test("if database and queue are restored, and the queue was saved first, every sample is stored exactly once", async () => {
  await restoreDatabase();
  const { messages } = await stored();
  expect(messages).toBeWithin(6, figures.messages);
  const restored = await etcdFrom(savedQueue());
  expect(await queuedIn(restored)).toBeGreaterThan(10);
  await runToEnd(restored);
  await expectExactlyOnce();
});

test("if only the queue is restored, every sample is stored exactly once, and nothing is added", async () => {
  const before = await stored();
  const restored = await etcdFrom(savedQueue());
  expect(await runToEnd(restored)).toContain("is already imported; it has no new rows");
  expect(await stored()).toEqual(before);
  await expectExactlyOnce();
});

test("if the database is restored and etcd starts empty, every sample is stored exactly once", async () => {
  await restoreDatabase();
  await runToEnd(await etcdFrom());
  await expectExactlyOnce();
});

test("if only the database is restored, rows are missing until the file is read again", async () => {
  await restoreDatabase();
  await runToEnd(etcd);
  expect(await differences()).toBeGreaterThan(0);
  expect((await stored()).rows).toBeLessThan(figures.rows);
  const commands = await commandsUnder(page, "When the database and the queue differ in age");
  const forget = commands.filter((command) => command.startsWith("etcdctl"));
  expect(forget).toHaveLength(2);
  await run(forget);
  await runToEnd(etcd);
  await expectExactlyOnce();
});
