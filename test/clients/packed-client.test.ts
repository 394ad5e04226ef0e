import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { answerOf, createGatewayClient, liveTelemetry } from "gpu-telemetry-client";
import { realCsv, realFigures, untilLoaded } from "../support/loaded-gateway.ts";
import { type PipelineProcess, startPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { expectStopped } from "../support/expect-stopped.ts";
import { until } from "../../dev/until.ts";
import type { DriveResult } from "./drive-every-operation.ts";
import { type ConsumerProject, makeConsumerProject } from "./packed-package.ts";
import { startRoundRobin } from "./round-robin.ts";

// Tests the client as its users get it: packed, installed in a separate project, compiled there with strict options, and run on
// Node.

let project: ConsumerProject;
let compiled: Awaited<ReturnType<ConsumerProject["compile"]>>;
beforeAll(async () => {
  project = await makeConsumerProject();
  const drive = await Bun.file(join(import.meta.dir, "drive-every-operation.ts")).text();
  await project.write("drive-every-operation.ts", drive);
  await project.write(
    "main.ts",
    `import { driveEveryOperation } from "./drive-every-operation.js";
const [, , url = "", cluster = ""] = process.argv;
console.log(JSON.stringify(await driveEveryOperation(url, cluster)));
declare const process: { readonly argv: readonly string[] };
`,
  );
  compiled = await project.compile();
}, 120_000);
afterAll(() => project.remove());

test("the packed package and its declarations compile in a separate strict project", () => {
  expect(compiled).toEqual({ status: 0, output: "" });
});

test("the compiler rejects code that contradicts the gateway's OpenAPI document", async () => {
  const mistakes = [
    ["void gateway.GET('/api/v1/gpu', {})", "Argument of type"],
    ["void gateway.POST('/api/v1/gpus', {})", "Argument of type"],
    ["void gateway.GET('/api/v1/gpus/{uuid}')", "Expected 2 arguments"],
    ["void gateway.GET('/api/v1/telemetry', { params: { query: { limit: '5' } } })", "'string' is not assignable"],
    ["const { data } = await gateway.GET('/api/v1/gpus'); data?.data[0]?.hostName", "'hostName' does not exist"],
    ["const { data } = await gateway.GET('/api/v1/gpus'); data.count", "'data' is possibly 'undefined'"],
  ] as const;
  for (const [at, [code]] of mistakes.entries()) {
    const text = `import { createGatewayClient } from "gpu-telemetry-client";
const gateway = createGatewayClient({ baseUrl: "http://localhost:8080" });
${code};
`;
    await project.write(`mistake-${at}.ts`, text);
  }
  const { output } = await project.check();
  for (const at of mistakes.keys()) await rm(join(project.dir, `mistake-${at}.ts`));
  for (const [at, [code, expected]] of mistakes.entries()) {
    const line = output.split("\n").find((each) => each.startsWith(`mistake-${at}.ts(3,`));
    expect([code, line]).toEqual([code, expect.stringContaining(expected) as unknown as string]);
  }
}, 90_000);

describe.skipIf(realCsv === undefined)("two gateways on one etcd and one database, behind a load balancer", () => {
  const run = `packed-${crypto.randomUUID().slice(0, 8)}`;
  const started: PipelineProcess[] = [];
  let [etcd, database]: [ProvidedEtcd?, ProvidedDatabase?] = [];
  let start: (env: Record<string, string>) => PipelineProcess;
  let gatewayProcesses: PipelineProcess[];
  let gatewayUrls: string[];
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "telemetry-round-robin-"));
    [etcd, database] = await Promise.all([provideEtcd(), provideDatabase()]);
    // a new name for each run, because a file with an earlier run's name would count as already imported
    const csv = join(dir, `${run}.csv`);
    await Bun.write(csv, Bun.file(realCsv ?? ""));
    const shared = {
      ...{ ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url, LOG_LEVEL: "warn" },
      ...{ QUEUE_TOPIC: run, CLUSTER_ID: run, DATA_DIR: join(dir, "unused") },
    };
    start = (env) => {
      started.push(startPipeline({ ...shared, ...env }));
      return started.at(-1) as PipelineProcess;
    };
    gatewayProcesses = [1, 2].map(() => start({ ROLE: "gateway", METRICS_FLEET: "true" }));
    start({ ROLE: "streamer,collector", CSV_FILE: csv });
    gatewayUrls = await Promise.all(gatewayProcesses.map((gateway) => urlOf(gateway)));
    await Promise.all(gatewayUrls.map((url) => untilLoaded(url)));
  }, 300_000);
  afterAll(async () => {
    await expectStopped(started);
    await Promise.all([etcd?.stop(), database?.stop()]);
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  test("every operation of the client works on each gateway, and both give the same counts", async () => {
    const balancer = startRoundRobin(gatewayUrls);
    const drives: DriveResult[] = [];
    for (const round of [1, 2]) {
      const { status, output } = await project.run("main.js", balancer.url, run);
      expect([round, status, output]).toEqual([round, 0, expect.stringMatching(/^\{/) as unknown as string]);
      drives.push(JSON.parse(output) as DriveResult);
      // an additional request, so that in the second round each request goes to the gateway that did not get it in the first
      if (balancer.counts[0] === balancer.counts[1]) await fetch(`${balancer.url}/health/live`);
    }
    const [first, second] = drives as [DriveResult, DriveResult];
    expect(first.counts).toMatchObject({
      "get /api/v1/gpus": realFigures.gpus,
      "get /api/v1/hosts": realFigures.hosts,
      "get /api/v1/telemetry": realFigures.records,
      "get /api/v1/clusters/{cluster_id}/stats": realFigures.records,
    });
    // answers that describe the process itself, and those that grow by each round
    const itself = { "get /metrics": 0, "get /health": 0 };
    const differing = { ...itself, "get /api/v1/keys": 0, "get /api/v1/audit": 0, "get /api/v1/silences": 0 };
    expect({ ...second.counts, ...differing }).toEqual({ ...first.counts, ...differing });
    for (const count of balancer.counts) expect(count).toBeGreaterThanOrEqual(first.sent.length);
    await balancer.stop();
  }, 120_000);

  test("a subscription continues on the other gateway when its first gateway stops, and no record is missed", async () => {
    start({
      ROLE: "streamer",
      CLUSTER_ID: `${run}-live`,
      SIM_HOSTS: "1",
      SIM_GPUS_PER_HOST: "2",
      SIM_INTERVAL: "200ms",
    });
    const balancer = startRoundRobin(gatewayUrls);
    const breaks: string[] = [];
    const received = new Map<string, Set<string>>();
    const replayed: { uuid: string; timestamp: string }[] = [];
    const live = liveTelemetry({
      ...{ baseUrl: balancer.url, filters: { cluster_id: `${run}-live` }, retryMs: 1000 },
      onBreak: (reason) => void breaks.push(reason),
      onUpdate: ({ gpu_uuid: uuid, timestamp, replay }) => {
        received.set(uuid, (received.get(uuid) ?? new Set()).add(timestamp));
        if (replay === true) replayed.push({ uuid, timestamp });
      },
    });
    const eachHasReceived = (count: number) =>
      received.size === 2 && [...received.values()].every((times) => times.size >= count);
    await until(() => eachHasReceived(5));
    const at = balancer.counts.indexOf(1);
    await expectStopped([gatewayProcesses[at] as PipelineProcess]);
    const before = Math.max(...[...received.values()].map(({ size }) => size));
    await until(() => eachHasReceived(before + 5));
    live.close();
    expect(breaks[0]).toContain("1012 this gateway is stopping");
    const client = createGatewayClient({ baseUrl: gatewayUrls[1 - at] as string });
    for (const uuid of received.keys()) {
      // the replay begins with the last record from before the break
      const times = replayed.filter((one) => one.uuid === uuid).map(({ timestamp }) => timestamp);
      const [start_time = "", end_time = ""] = [times.at(0), times.at(-1)];
      const query = { start_time, end_time, limit: 10_000 };
      const path = "/api/v1/gpus/{uuid}/telemetry";
      const { data } = await answerOf(client.GET(path, { params: { path: { uuid }, query } }));
      expect(times.length).toBeGreaterThan(1);
      expect(times).toEqual(data.map(({ timestamp }) => timestamp));
    }
    await balancer.stop();
  }, 60_000);
});
