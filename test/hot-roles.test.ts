import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until as untilTrue } from "../dev/until.ts";
import { type EtcdCluster, startEtcd } from "../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../dev/servers/postgres.ts";
import { type PipelineProcess, startPipeline, urlOf } from "../dev/pipeline-process.ts";
import { expectStopped } from "./support/expect-stopped.ts";

// A streamer, a collector and gateways as separate processes, with an etcd and a database that fail and recover.

let etcd: EtcdCluster;
let postgres: PostgresServer;
let started: PipelineProcess[] = [];
const dir = await mkdtemp(join(tmpdir(), "telemetry-hot-"));

beforeAll(
  async () => void ([etcd, postgres] = await Promise.all([startEtcd({ members: 1 }), startPostgres()])),
  300_000,
);
afterEach(async () => {
  await expectStopped(started);
  started = [];
}, 60_000);
afterAll(async () => {
  await Promise.all([etcd.stop(), postgres.stop()]);
  await rm(dir, { recursive: true, force: true });
});

function start(role: string): PipelineProcess {
  const pipeline = startPipeline({
    ...{ ROLE: role, ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: postgres.url, LOG_LEVEL: "warn" },
    ...{ SIM_HOSTS: "3", SIM_GPUS_PER_HOST: "4", SIM_INTERVAL: "500ms", QUEUE_LEASE_SECONDS: "5" },
    ...{ DATA_DIR: join(dir, "unused"), SHUTDOWN_TIMEOUT_SECONDS: "10" },
  });
  started.push(pipeline);
  return pipeline;
}

interface Answer {
  readonly status: number;
  readonly body: {
    readonly count?: number;
    readonly status?: string;
    readonly data?: readonly { readonly timestamp: string }[];
    readonly error?: { readonly code: string; readonly details: { readonly reason?: string } };
    readonly components?: Readonly<Record<string, { readonly status: string; readonly reason?: string }>>;
  };
}

async function ask(url: string, path: string): Promise<Answer> {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

/** How long a test waits for a state: the pauses between retries delay the detection of a server that has recovered. */
const recoveryMs = 40_000;
const until = (check: () => Promise<boolean>): Promise<true> => untilTrue(check, { timeoutMs: recoveryMs });

const hasAllGpus = async (url: string): Promise<boolean> => (await ask(url, "/api/v1/gpus")).body.count === 12;

/** The instant of the newest record that a gateway serves, milliseconds since the epoch. */
async function newestMs(url: string): Promise<number> {
  const { body } = await ask(url, "/api/v1/telemetry/latest?limit=1");
  return Date.parse(body.data?.[0]?.timestamp ?? "");
}

test("without the database, running and new gateways serve hierarchy and newest records, and recover when it does", async () => {
  start("collector");
  start("streamer");
  const url = await urlOf(start("gateway"));
  await until(() => hasAllGpus(url));
  await postgres.kill();
  const late = await urlOf(start("gateway"));
  for (const gateway of [url, late]) {
    await until(() => hasAllGpus(gateway));
    for (const path of ["gpus", "hosts", "clusters", "telemetry/latest"]) {
      expect([path, (await ask(gateway, `/api/v1/${path}`)).status]).toEqual([path, 200]);
    }
    const history = await ask(gateway, "/api/v1/telemetry");
    expect([history.status, history.body.error?.code]).toEqual([503, "store_unavailable"]);
    expect(history.body.error?.details.reason).toMatch(/\w/);
    const health = await ask(gateway, "/health");
    expect([health.status, health.body.status]).toEqual([200, "degraded"]);
    expect(health.body.components?.store).toMatchObject({ status: "down", reason: expect.any(String) as unknown });
    expect((await fetch(`${gateway}/health/ready`)).status).toBe(200);
  }
  const beforeMs = await newestMs(url);
  await postgres.start();
  for (const gateway of [url, late]) {
    await until(async () => (await ask(gateway, "/api/v1/telemetry")).status === 200);
    await until(async () => (await newestMs(gateway)) > beforeMs);
    await until(async () => (await ask(gateway, "/health")).body.status === "ok");
  }
}, 180_000);

test("without etcd, running and new gateways serve history and an older fleet; new records arrive when etcd recovers", async () => {
  start("collector");
  start("streamer");
  const url = await urlOf(start("gateway"));
  await until(() => hasAllGpus(url));
  await etcd.members[0]?.kill();
  const late = await urlOf(start("gateway"));
  for (const gateway of [url, late]) {
    await until(async () => (await ask(gateway, "/health")).body.components?.fleet?.status === "degraded");
    const health = await ask(gateway, "/health");
    expect([health.status, health.body.status]).toEqual([200, "degraded"]);
    expect(health.body.components?.fleet?.reason).toContain("the fleet's newest state is not being updated");
    expect((await ask(gateway, "/api/v1/telemetry")).status).toBe(200);
    expect(await hasAllGpus(gateway)).toBe(true);
    expect((await fetch(`${gateway}/health/ready`)).status).toBe(200);
  }
  const beforeMs = await newestMs(url);
  await etcd.members[0]?.start();
  for (const gateway of [url, late]) {
    await until(async () => (await newestMs(gateway)) > beforeMs);
    await until(async () => (await ask(gateway, "/health")).body.components?.fleet?.status === "ok");
  }
  await until(async () => {
    const [one, two] = await Promise.all([url, late].map((gateway) => ask(gateway, "/api/v1/gpus?")));
    return JSON.stringify(one) === JSON.stringify(two);
  });
}, 180_000);
