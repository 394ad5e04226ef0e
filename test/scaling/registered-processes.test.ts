import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { until } from "../../dev/until.ts";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { pipelineRoot } from "../../src/etcd/pipeline-root.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { EtcdServiceRegistry } from "../../src/scaling/registry/etcd/etcd-service-registry.ts";
import type { ServiceInstance } from "../../src/scaling/registry/service-instance.ts";
import { expectStopped } from "../support/expect-stopped.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";

// Real processes in the registry of a real etcd. Streamers need no store.

const leaseSeconds = 5;
const dir = await mkdtemp(join(tmpdir(), "telemetry-registry-"));
let etcd: EtcdCluster;
let database: ProvidedDatabase;
let client: EtcdClient;

beforeAll(async () => {
  [etcd, database] = await Promise.all([startEtcd({ members: 1 }), provideDatabase()]);
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await Promise.all([etcd.stop(), database.stop()]);
  await rm(dir, { recursive: true, force: true });
});

/** The processes of a test, on a topic of its own. */
class OwnProcesses {
  readonly topic = crypto.randomUUID();
  private readonly started: PipelineProcess[] = [];

  start(env: Record<string, string>): PipelineProcess {
    const pipeline = this.startUnwatched(env);
    this.started.push(pipeline);
    return pipeline;
  }

  startWithStore(env: Record<string, string>): PipelineProcess {
    return this.start({ DATABASE_URL: database.url, ...env });
  }

  /** Starts a process that the test ends. */
  startUnwatched(env: Record<string, string>): PipelineProcess {
    return startPipeline({
      ...{ ROLE: "streamer", ETCD_ENDPOINTS: etcd.endpoints.join(","), QUEUE_TOPIC: this.topic, LOG_LEVEL: "warn" },
      ...{ SERVICE_LEASE_SECONDS: `${leaseSeconds}`, SHUTDOWN_TIMEOUT_SECONDS: "10" },
      ...{ DATA_DIR: join(dir, crypto.randomUUID()), ...env },
    });
  }

  registry(topic = this.topic): EtcdServiceRegistry {
    return new EtcdServiceRegistry({ client, topic, leaseSeconds, clock, log: unshownLog() });
  }

  async listed(topic = this.topic): Promise<readonly ServiceInstance[]> {
    return (await this.registry(topic).list()).instances;
  }

  async stateOf(name: string): Promise<string | undefined> {
    return (await this.listed()).find((instance) => instance.name === name)?.state;
  }

  /** The state in the only entry of the topic, now or at a past revision of etcd. */
  async entryAt(revision?: number): Promise<{ revision: number; state: string | undefined }> {
    const range = prefixRange(`${pipelineRoot(this.topic)}/services/`);
    const { header, kvs } = await client.range({
      ...range,
      ...(revision === undefined ? {} : { revision: `${revision}` }),
    });
    const entry = kvs[0] && (JSON.parse(kvs[0].value.toString()) as ServiceInstance);
    return { revision: Number(header.revision), state: entry?.state };
  }

  becomes(name: string, state: string | undefined): Promise<unknown> {
    const isNow = async (): Promise<boolean> => {
      try {
        return (await this.stateOf(name)) === state;
      } catch (error) {
        // on a busy machine, and while etcd starts, a read may take too long
        if (error instanceof EtcdUnavailable) return false;
        throw error;
      }
    };
    return until(isNow, { timeoutMs: 150_000 });
  }

  async stop(): Promise<void> {
    await expectStopped(this.started);
  }
}

/** A test that mostly waits for leases: all of them run at the same time. */
function testAtOnce(name: string, run: (own: OwnProcesses) => Promise<void>): void {
  test.concurrent(name, () => withProcesses(run), 400_000);
}

/** A test that measures time, or kills etcd. */
function testAlone(name: string, run: (own: OwnProcesses) => Promise<void>): void {
  test(name, () => withProcesses(run), 180_000);
}

async function withProcesses(run: (own: OwnProcesses) => Promise<void>): Promise<void> {
  const own = new OwnProcesses();
  try {
    await run(own);
  } finally {
    await own.stop();
  }
}

testAtOnce(
  "a process is listed with its roles, address and load, and its name in the process table says its role",
  async (own) => {
    const whole = crypto.randomUUID();
    const pipeline = own.startWithStore({ ROLE: "all", QUEUE_TOPIC: whole, SIM_INTERVAL: "100ms" });
    const streamer = own.start({ INSTANCE_NAME: "streamer-7", SERVICE_ADDRESS: "streamer.inner:9000" });
    const url = await urlOf(pipeline);
    await own.becomes("streamer-7", "ready");
    await until(async () => ((await own.listed(whole))[0]?.load.samples_per_second ?? 0) > 0, {
      timeoutMs: 60_000,
    });
    const [all] = (await own.listed(whole)) as [ServiceInstance];
    expect(all).toMatchObject({
      ...{ roles: ["streamer", "collector", "gateway"], state: "ready", health: "ok", errors: [], topic: whole },
      ...{ pid: pipeline.subprocess.pid, address: "127.0.0.1", port: Number(new URL(url).port), name: all.instance_id },
    });
    expect(all.load).toMatchObject({ targets: 1, clients: 0, lag_seconds: expect.any(Number) as unknown });
    expect(all.load.rss_bytes).toBeGreaterThan(10_000_000);
    expect(all.load).not.toHaveProperty("ranges");
    expect((await own.listed()).find(({ name }) => name === "streamer-7")).toMatchObject({
      ...{ roles: ["streamer"], address: "streamer.inner", port: 9000, url: "http://streamer.inner:9000" },
      pid: streamer.subprocess.pid,
    });
    const commOf = ({ subprocess }: PipelineProcess): string =>
      readFileSync(`/proc/${subprocess.pid}/comm`, "utf8").trim();
    expect([commOf(pipeline), commOf(streamer)]).toEqual(["nexus-all", "nexus-streamer"]);
  },
);

testAtOnce("a gateway's load has its clients and the latency of their requests", async (own) => {
  const url = await urlOf(own.startWithStore({ INSTANCE_NAME: "gateway-1", ROLE: "gateway" }));
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
  const loadOf = async () => (await own.listed()).find(({ name }) => name === "gateway-1")?.load ?? {};
  await until(
    async () => {
      await (await fetch(`${url}/api/v1/gpus`, { headers: { connection: "close" } })).text();
      const { clients = 0, latency_ms_p95: latencyMs = 0 } = await loadOf();
      return clients === 1 && latencyMs > 0;
    },
    { timeoutMs: 60_000 },
  );
  socket.close();
  await until(async () => (await loadOf()).clients === 0, { timeoutMs: 30_000 });
  expect(await loadOf()).not.toHaveProperty("samples_per_second");
});

testAtOnce("a process that is told to stop is draining at once, and gone when it has ended", async (own) => {
  const stopped = own.startUnwatched({ INSTANCE_NAME: "stopped" });
  await own.becomes("stopped", "ready");
  const before = await own.entryAt();
  await stopPipeline(stopped);
  const after = await own.entryAt();
  // reads past revisions: on a busy machine, a watch may deliver both changes together
  const states = [before.state];
  for (let revision = before.revision + 1; revision <= after.revision; revision++) {
    const { state } = await own.entryAt(revision);
    if (state !== states.at(-1)) states.push(state);
  }
  expect(states).toEqual(["ready", "draining", undefined]);
});

testAtOnce("two pipelines on one etcd do not list each other's processes", async (own) => {
  const other = crypto.randomUUID();
  own.start({ INSTANCE_NAME: "first" });
  own.start({ INSTANCE_NAME: "second", QUEUE_TOPIC: other });
  await own.becomes("first", "ready");
  await until(async () => (await own.listed(other)).length === 1, { timeoutMs: 60_000 });
  expect((await own.listed()).map(({ name }) => name)).toEqual(["first"]);
  expect((await own.listed(other)).map(({ name }) => name)).toEqual(["second"]);
});

testAtOnce("a process that was frozen longer than its lease registers again when it continues", async (own) => {
  const pipeline = own.start({ INSTANCE_NAME: "frozen" });
  await own.becomes("frozen", "ready");
  pipeline.subprocess.kill("SIGSTOP");
  await own.becomes("frozen", undefined);
  pipeline.subprocess.kill("SIGCONT");
  await own.becomes("frozen", "ready");
});

testAlone("a process that is killed is gone within its lease", async (own) => {
  const killed = own.startUnwatched({ INSTANCE_NAME: "killed" });
  await own.becomes("killed", "ready");
  await stopPipeline(killed, "SIGKILL");
  const beforeMs = Date.now();
  expect(await own.stateOf("killed")).toBe("ready");
  await own.becomes("killed", undefined);
  // etcd ends leases up to a second late, and a busy machine answers late
  expect(Date.now() - beforeMs).toBeLessThan((leaseSeconds + 3) * 1000);
});

testAlone(
  "when etcd was away for longer than the lease, a process is listed again by itself; meanwhile it is ready, and watchers keep it",
  async (own) => {
    const pipeline = own.startWithStore({ INSTANCE_NAME: "patient", ROLE: "gateway" });
    const url = await urlOf(pipeline);
    await own.becomes("patient", "ready");
    const seen: number[] = [];
    const stop = new AbortController();
    const watching = own.registry().watch((instances) => seen.push(instances.length), stop.signal);
    await until(() => Promise.resolve(seen.length > 0));
    await etcd.members[0]?.kill();
    const registryReason = async (): Promise<string> => {
      const { components } = (await (await fetch(`${url}/health`)).json()) as {
        components: Record<string, { reason?: string }>;
      };
      return components["registry"]?.reason ?? "";
    };
    await until(async () => (await registryReason()).includes("other processes may not see this one"), {
      timeoutMs: 30_000,
    });
    await Bun.sleep(leaseSeconds * 1000);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    await etcd.members[0]?.start();
    await until(async () => (await registryReason()) === "", { timeoutMs: 30_000 });
    await own.becomes("patient", "ready");
    expect(new Set(seen)).toEqual(new Set([1]));
    stop.abort();
    await watching;
  },
);
