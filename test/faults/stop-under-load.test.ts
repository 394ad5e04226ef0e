import { afterAll, beforeAll, expect, test } from "bun:test";
import { type PipelineProcess, startPipeline, stopPipeline } from "../../dev/pipeline-process.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { until } from "../../dev/until.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { countPrefix } from "../../src/etcd/requests.ts";
import { QueueKeys } from "../../src/pipeline/queue/etcd/queue-keys.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { openSlowProxy } from "../../dev/slow-proxy.ts";

// SIGTERM to the processes of a pipeline while messages are stored, and the database answers quickly, slowly or not at all.

/** Less than the database client waits for an answer. */
const shutdownTimeoutSeconds = 8;
/** Starting and ending a process on a machine whose processors are busy. */
const spareMs = 2000;
/** A process that is still there then is ended by the kernel (`endAfter`): a few collectors do not pause at their end, for a reason that is
 *  not known yet. Their messages are free as early as those of the others. */
const endedByKernelMs = (shutdownTimeoutSeconds + 5) * 1000;
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

for (const [database, delayMs] of [
  ["answers at once", 0],
  ["answers after 1.5 s", 1500],
  ["does not answer", Infinity],
] as const) {
  test(`with a database that ${database}, the messages of stopped collectors are free within 5 s, and all processes stop in time`, async () => {
    const topic = `stop-${crypto.randomUUID()}`;
    const url = new URL(await createDatabase(postgres, `stop_${delayMs}`.toLowerCase(), { plain: true }));
    const proxy = await openSlowProxy({ host: url.hostname, port: Number(url.port), delayMs: 0 });
    url.port = String(proxy.port);
    const { claims, messages } = new QueueKeys(topic);
    const processes = [start("collector", topic, url.href)];
    try {
      await processes[0]?.waitFor(/health +http/);
      processes.push(...["streamer", "gateway", "collector"].map((role) => start(role, topic, url.href)));
      await Promise.all(processes.map((pipeline) => pipeline.waitFor(/health +http/)));
      await until(async () => (await countOf(messages)) > 0, { everyMs: 1 });
      proxy.delayMs = delayMs;
      await until(async () => (await countOf(claims)) > 0, { everyMs: 1 });
      const startedAtMs = performance.now();
      const elapsedMs = (): number => performance.now() - startedAtMs;
      const ended = processes.map(async (pipeline) => {
        await stopPipeline(pipeline);
        return elapsedMs();
      });
      await until(async () => (await countOf(claims)) === 0, { everyMs: 10 });
      expect(elapsedMs()).toBeLessThan(freeWithinMs);
      const tookMs = await Promise.all(ended);
      const isInTime = processes.map(({ subprocess }, index) =>
        subprocess.signalCode === "SIGALRM"
          ? (tookMs[index] as number) < endedByKernelMs + spareMs
          : subprocess.exitCode === 0 && (tookMs[index] as number) < shutdownTimeoutSeconds * 1000 + spareMs,
      );
      expect(isInTime).toEqual([true, true, true, true]);
    } finally {
      await Promise.all(processes.map((pipeline) => stopPipeline(pipeline, "SIGKILL")));
      await proxy.close();
    }
  }, 120_000);
}
