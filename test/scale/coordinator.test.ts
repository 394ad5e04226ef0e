import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until as untilBy } from "../../dev/until.ts";
import { LocalExecutor } from "../../src/scaling/executor/local/local-executor.ts";
import { type LocalPipeline, localPipeline, runs } from "../../dev/local-pipeline.ts";

// A coordinator, its executor and the scale commands on the supervisor that a command has started, with real processes.

let etcd: ProvidedEtcd;
let database: ProvidedDatabase;
let pipeline: LocalPipeline;

beforeAll(async () => {
  [etcd, database] = await Promise.all([provideEtcd(), provideDatabase()]);
}, 300_000);
afterEach(() => pipeline.remove(), 60_000);
afterAll(async () => {
  await Promise.all([etcd.stop(), database.stop()]);
});

/** Processes take long to start while other tests run. */
const until = (check: () => boolean | Promise<boolean>): Promise<unknown> => untilBy(check, { timeoutMs: 60_000 });

async function open(env: Record<string, string> = {}): Promise<LocalPipeline> {
  pipeline = await localPipeline({
    ...{ ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url, QUEUE_TOPIC: crypto.randomUUID() },
    ...{ SHUTDOWN_TIMEOUT_SECONDS: "10", ...env },
  });
  return pipeline;
}

test("a coordinator changes the number of processes by itself, and commands say so", async () => {
  const { type, pidOf, logOf } = await open({ SCALING_GATEWAY_MIN: "2" });
  const started = await type("local", { INSTANCES: "1", COORDINATOR_INSTANCES: "1" });
  expect(started.code).toBe(0);
  expect(started.output).toMatch(/^coordinator-1 .* ok /m);
  await until(() => runs(pidOf("gateway-2")));
  expect(logOf("coordinator-1")).toContain("below_minimum");
  const typed = await type("collectors", { COLLECTOR_INSTANCES: "2" });
  expect(typed.output).toMatch(/^A coordinator decides .*\nCOORDINATOR_INSTANCES=0 bun run scale-local stops it/m);
  expect(typed.output).toContain("collectors: a command set 2; not fewer for 10 min");
  expect(typed.output).toContain("gateways: a command set 1, but SCALING_GATEWAY_MIN=2");
  await until(() => logOf("coordinator-1").includes("a command set 2 collectors"));
  const stopped = await type("local", { COORDINATOR_INSTANCES: "0" });
  expect(stopped.output).toStartWith("Stopping coordinator-1\n");
  expect(stopped.output).not.toContain("A coordinator decides");
  expect([pidOf("collector-2"), pidOf("gateway-2")].map(runs)).toEqual([true, true]);
}, 180_000);

test("the coordinator's requests are carried out, and those of an earlier term are refused", async () => {
  const { type, pidOf, folder } = await open();
  await type("collectors", { COLLECTOR_INSTANCES: "1" });
  const executor = new LocalExecutor({ socket: join(folder, "run/supervisor.sock") });
  const ask = (count: number, term: string): Promise<unknown> =>
    executor
      .scale({ role: "collector", count, term, reason: "lag", stillLeads: () => Promise.resolve(false) })
      .catch(String);
  expect(await ask(2, "7")).toBeUndefined();
  await until(() => runs(pidOf("collector-2")));
  expect(await ask(5, "6")).toContain("term 6 is over");
  process.kill(pidOf("supervisor") ?? 0, "SIGKILL");
  await type("status");
  expect(await ask(5, "6")).toContain("term 6 is over");
  expect(await ask(-1, "8")).toContain("expected {count: 0 to 100");
  const commanded = expect.objectContaining({ count: 1 }) as unknown;
  expect(await executor.requested("collector")).toEqual({ count: 2, command: commanded as { count: 1; atMs: number } });
}, 180_000);
