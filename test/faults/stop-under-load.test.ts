import { afterAll, beforeAll, expect, test } from "bun:test";
import { type PipelineProcess, startPipeline, stopPipeline } from "../../dev/pipeline-process.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { until } from "../../dev/until.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { countPrefix } from "../../src/etcd/requests.ts";
import { QueueKeys } from "../../src/pipeline/queue/etcd/queue-keys.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { openSlowProxy, type SlowProxy } from "../../dev/slow-proxy.ts";
import { stopwatch } from "../../src/kit/clock.ts";

// SIGTERM to the processes of a pipeline while messages are stored, and the database answers quickly, slowly or not at all.

/** Less than the database client waits for an answer. */
const shutdownTimeoutSeconds = 8;
/** Starting and ending a process on a machine whose processors are busy. */
const spareMs = 2000;
const freeWithinMs = 5000;

let etcd: EtcdCluster;
let postgres: PostgresServer;
let client: EtcdClient;
beforeAll(async () => {
  [etcd, postgres] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await Promise.all([etcd.stop(), postgres.stop()]);
});

function start(role: string, topic: string, databaseUrl: string): PipelineProcess {
  return startPipeline({
    ...{ ROLE: role, QUEUE_TOPIC: topic, DATABASE_URL: databaseUrl, ETCD_ENDPOINTS: etcd.endpoints.join(",") },
    ...{ LOG_LEVEL: "warn", SIM_INTERVAL: "100ms", SHUTDOWN_TIMEOUT_SECONDS: `${shutdownTimeoutSeconds}` },
  });
}

async function countOf(prefix: string): Promise<number> {
  const { responses } = await client.txn({ success: [countPrefix(prefix)] });
  return Number(responses[0]?.response_range.count);
}

interface Stage {
  readonly processes: readonly PipelineProcess[];
  readonly topic: string;
  /** The database of the processes, past the proxy. */
  readonly directUrl: string;
  readonly proxy: SlowProxy;
  readonly start: (...roles: readonly string[]) => readonly PipelineProcess[];
}

/** Calls `work` with a topic and a database of its own, and ends the processes that it has started. */
async function onStage(name: string, work: (stage: Stage) => Promise<void>): Promise<void> {
  const topic = `stop-${crypto.randomUUID()}`;
  const directUrl = await createDatabase(postgres, name, { plain: true });
  const url = new URL(directUrl);
  const proxy = await openSlowProxy({ host: url.hostname, port: Number(url.port), delayMs: 0 });
  url.port = String(proxy.port);
  const processes: PipelineProcess[] = [];
  const startRoles = (...roles: readonly string[]): readonly PipelineProcess[] => {
    const started = roles.map((role) => start(role, topic, url.href));
    processes.push(...started);
    return started;
  };
  try {
    await work({ processes, topic, directUrl, proxy, start: startRoles });
  } finally {
    await Promise.all(processes.map((pipeline) => stopPipeline(pipeline, "SIGKILL")));
    await proxy.close();
  }
}

const isListening = (pipeline: PipelineProcess): Promise<unknown> => pipeline.waitFor(/health +http/);

/** Sends SIGTERM to all. The messages must be free soon, and all must exit with 0 in time. */
async function expectStopped(processes: readonly PipelineProcess[], claims: string): Promise<void> {
  const elapsedMs = stopwatch();
  const ended = processes.map(async (pipeline) => {
    await stopPipeline(pipeline);
    return elapsedMs();
  });
  await until(async () => (await countOf(claims)) === 0, { everyMs: 10 });
  expect(elapsedMs()).toBeLessThan(freeWithinMs);
  expect(Math.max(...(await Promise.all(ended)))).toBeLessThan(shutdownTimeoutSeconds * 1000 + spareMs);
  expect(processes.map(({ subprocess }) => subprocess.exitCode)).toEqual(processes.map(() => 0));
}

for (const [database, delayMs] of [
  ["answers at once", 0],
  ["answers after 1.5 s", 1500],
  ["does not answer", Infinity],
] as const) {
  test(`with a database that ${database}, the messages of stopped collectors are free within 5 s, and all processes stop in time`, async () => {
    await onStage(`stop_${delayMs}`.toLowerCase(), async ({ processes, topic, proxy, start }) => {
      const { claims, messages } = new QueueKeys(topic);
      await Promise.all(start("collector").map(isListening));
      await Promise.all(start("streamer", "gateway", "collector").map(isListening));
      await until(async () => (await countOf(messages)) > 0, { everyMs: 1 });
      proxy.delayMs = delayMs;
      await until(async () => (await countOf(claims)) > 0, { everyMs: 1 });
      await expectStopped(processes, claims);
    });
  }, 120_000);
}

test("a statement of upkeep that waits for a lock delays neither the messages of a stopped collector nor its end", async () => {
  await onStage("stop_locked", async ({ topic, directUrl, proxy, start }) => {
    const { claims } = new QueueKeys(topic);
    const first = start("collector");
    // makes the tables
    await Promise.all(first.map(isListening));
    await Promise.all(first.map((pipeline) => stopPipeline(pipeline)));
    await withClient(directUrl, (client) =>
      client.transaction(async (transaction) => {
        await transaction.query("lock table inventory_items");
        const processes = start("collector", "streamer");
        await Promise.all(processes.map(isListening));
        // before its first claim, a collector compares its database with that of the topic
        await until(async () => (await countOf(claims)) > 0, { everyMs: 1 });
        const waiting = "select 1 from pg_locks where relation = 'inventory_items'::regclass and not granted";
        await until(async () => (await transaction.query(waiting)).length > 0);
        proxy.delayMs = Infinity;
        // what was stored before is acknowledged meanwhile
        await Bun.sleep(1000);
        await until(async () => (await countOf(claims)) > 0, { everyMs: 1 });
        await expectStopped(processes, claims);
      }),
    );
  });
}, 120_000);
