import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline } from "../../dev/pipeline-process.ts";
import { type EtcdCluster, type EtcdMember, startEtcd } from "../../dev/servers/etcd.ts";
import { until } from "../../dev/until.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { put } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { expectStopped } from "../support/expect-stopped.ts";

// Collectors followed the queue from a revision that the new etcd did not have: it grew, nothing was stored, and /health said ok. A file
// that had been read stayed read, although its messages were gone.

const rows = 400;
const folder = mkdtempSync(join(tmpdir(), "telemetry-lost-history-"));
let cluster: EtcdCluster;
let member: EtcdMember;
let client: EtcdClient;
let queue: EtcdQueue;
let streamer: PipelineProcess;
let port = "";

beforeAll(() => {
  const lines = Array.from({ length: rows }, (_, index) => {
    const time = new Date(Date.UTC(2025, 0, 1) + index * 1000).toISOString();
    return `${time},DCGM_FI_DEV_GPU_UTIL,0,nvidia0,GPU-1,H100,host-1,,,,${index % 100},`;
  });
  const header = "timestamp,metric_name,gpu_id,device,uuid,modelName,Hostname,container,pod,namespace,value,labels_raw";
  writeFileSync(join(folder, "fleet.csv"), `${[header, ...lines].join("\n")}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  cluster = await startEtcd({ members: 1 });
  [member] = cluster.members as [EtcdMember];
  const { endpoints } = cluster;
  client = new EtcdClient({ endpoints });
  queue = new EtcdQueue({
    ...{
      client,
      topic: "telemetry",
      clock,
      leaseSeconds: 5,
      maxAttempts: 5,
      capacityMessages: 1000,
      log: unshownLog(),
    },
  });
}, 300_000);
afterEach(async () => {
  await queue.close();
  client.close();
  await expectStopped([streamer]);
  await cluster.stop();
}, 60_000);

async function startStreamer(): Promise<void> {
  const env = { ETCD_ENDPOINTS: cluster.endpoints.join(","), CSV_FILE: join(folder, "fleet.csv"), BATCH_SIZE: "100" };
  streamer = startPipeline({ ...env, ROLE: "streamer", AUTH_MODE: "off" });
  port = String((await streamer.waitFor(/http:\/\/[^\s:]+:(\d+)/))[1]);
}

/** Takes all rows of the file from the queue, as a collector does that stores them. */
async function takeFile(): Promise<void> {
  for (let taken = 0; taken < rows;) {
    const deliveries = await queue.claim({ consumerId: "c", maxMessages: 10, signal: AbortSignal.timeout(30_000) });
    expect(deliveries).not.toEqual([]);
    taken += deliveries.reduce((sum, { envelope }) => sum + envelope.count, 0);
    expect(await queue.acknowledge(deliveries)).toEqual([]);
  }
}

async function lostTexts(): Promise<string[]> {
  const { components } = (await (await fetch(`http://127.0.0.1:${port}/health`)).json()) as {
    components: Record<string, { reason?: string }>;
  };
  return Object.values(components).flatMap(({ reason }) => (reason?.includes("come back") ? [reason] : []));
}

test("when etcd comes back empty, a file is read again, the queue is followed, and /health says so", async () => {
  await startStreamer();
  await takeFile();
  await member.kill();
  rmSync(member.dataFolder, { recursive: true });
  await member.start();
  await takeFile();
  const [text] = await until(async () => {
    const texts = await lostTexts();
    return texts.length > 0 && texts;
  });
  expect(text).toContain("has come back empty or with an older state: its revision went back from");
  expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
}, 120_000);

test("when etcd comes back with an older state, a file is read again from the older positions", async () => {
  const copy = `${member.dataFolder}-older`;
  await client.txn({ success: [put("/before", "the file is read")] });
  await member.kill();
  Bun.spawnSync(["cp", "-a", member.dataFolder, copy]);
  await member.start();
  await startStreamer();
  await takeFile();
  await member.kill();
  rmSync(member.dataFolder, { recursive: true });
  renameSync(copy, member.dataFolder);
  await member.start();
  await takeFile();
  await until(async () => (await lostTexts()).length > 0);
}, 120_000);
