import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline } from "../../dev/pipeline-process.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { decodePayload } from "../../src/pipeline/queue/batch-codec.ts";
import { readEnvelope } from "../../src/pipeline/queue/etcd/envelope.ts";
import type { MessageEnvelope } from "../../src/pipeline/queue/queue.ts";
import { Schedule } from "../../src/pipeline/source/schedule.ts";
import { TargetKeys } from "../../src/pipeline/stream/assignment/target-keys.ts";
import { randomFrom } from "../support/random.ts";

// Invariant I9: each scheduled scrape is published once, or told as missed with a reason, regardless of which streamer dies. Streamers
// over 100 exporters come, stop, freeze and are killed; TEST_SEED chooses how. Then the messages of the queue are compared with the
// schedule.

const seed = Number(process.env.TEST_SEED ?? 1);
const intervalMs = 2000;
const targetCount = 100;
const leaseSeconds = 3;
const topic = `kills-${crypto.randomUUID().slice(0, 8)}`;
const keys = new TargetKeys(topic);
const dir = await mkdtemp(join(tmpdir(), "telemetry-scrapes-"));
const targetsFile = join(dir, "targets.txt");
const exporters = Bun.serve({
  port: 0,
  fetch: ({ url }) => new Response(answerOf(new URL(url).pathname.split("/")[1])),
});
let etcd: ProvidedEtcd;
let client: EtcdClient;
let streamers: PipelineProcess[] = [];

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
  const urls = Array.from(
    { length: targetCount },
    (_, index) => `http://127.0.0.1:${exporters.port}/h${index}/metrics`,
  );
  await writeFile(targetsFile, `${urls.join("\n")}\n`);
}, 300_000);
afterAll(async () => {
  await Promise.all(streamers.map((streamer) => stopPipeline(streamer, "SIGKILL")));
  client.close();
  await Promise.all([etcd.stop(), exporters.stop(true), rm(dir, { recursive: true, force: true })]);
});

function answerOf(host = ""): string {
  return `DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-${host}",device="nvidia0",modelName="NVIDIA H100",Hostname="${host}"} 30\n`;
}

function addStreamer(): void {
  const env = {
    ROLE: "streamer",
    QUEUE_TOPIC: topic,
    QUEUE_CAPACITY_MESSAGES: "100000",
    DCGM_INTERVAL: `${intervalMs}ms`,
  };
  const shared = { ETCD_ENDPOINTS: etcd.endpoints.join(","), QUEUE_LEASE_SECONDS: String(leaseSeconds) };
  streamers.push(startPipeline({ ...env, ...shared, DCGM_TARGETS_FILE: targetsFile }));
}

/** Waits until each streamer has its even share. */
async function shared(): Promise<void> {
  await until(
    async () => {
      const counts = new Map<string, number>();
      for (const { key, value } of (await client.range(prefixRange(keys.watched))).kvs) {
        if (keys.read(key)?.kind === "owner") counts.set(value.toString(), (counts.get(value.toString()) ?? 0) + 1);
      }
      const shares = [...counts.values()];
      const total = shares.reduce((sum, share) => sum + share, 0);
      return (
        total === targetCount && shares.length === streamers.length && Math.max(...shares) - Math.min(...shares) <= 1
      );
    },
    { timeoutMs: 60_000, everyMs: 100 },
  );
}

type Fault = "SIGKILL" | "SIGTERM" | "SIGSTOP";

/** Ends a streamer, or freezes it for longer than its lease. */
async function inflict(fault: Fault, random: () => number): Promise<void> {
  const victim = streamers[Math.floor(random() * streamers.length)] as PipelineProcess;
  if (fault === "SIGSTOP") {
    victim.subprocess.kill("SIGSTOP");
    await clock.sleep(leaseSeconds * 1500);
    victim.subprocess.kill("SIGCONT");
    return;
  }
  streamers = streamers.filter((streamer) => streamer !== victim);
  await stopPipeline(victim, fault);
}

/** The readings of each target, in the order in which they were published. */
async function readingsOf() {
  const readings = new Map<string, { timeMs: number; count: number; reason?: string }[]>();
  for (const { value } of (await client.range(prefixRange(`/queue/${topic}/messages/`))).kvs) {
    const envelope = readEnvelope(value) as MessageEnvelope;
    const { kvs } = await client.range({ key: Buffer.from(`/queue/${topic}/payloads/${envelope.id}`) });
    const { reading } = decodePayload({ ...envelope, payload: kvs[0]?.value ?? Buffer.alloc(0) });
    const { sourceId } = envelope.source;
    if (reading !== undefined) readings.set(sourceId, [...(readings.get(sourceId) ?? []), reading]);
  }
  return readings;
}

test(`each scheduled scrape is published once or told as missed, while streamers are killed, stopped and frozen (seed ${seed})`, async () => {
  const random = randomFrom(seed);
  addStreamer();
  await shared();
  addStreamer();
  addStreamer();
  await shared();
  const faults: Fault[] = ["SIGKILL", "SIGTERM", "SIGSTOP"];
  for (const fault of faults.map((each) => ({ each, at: random() })).sort((a, b) => a.at - b.at)) {
    await inflict(fault.each, random);
    await clock.sleep(random() * intervalMs);
    if (streamers.length < 2) addStreamer();
    await shared();
  }
  await clock.sleep(intervalMs);
  await Promise.all(streamers.map((streamer) => stopPipeline(streamer, "SIGTERM")));
  streamers = [];
  const readings = await readingsOf();
  expect(readings.size).toBe(targetCount);
  const wrong: unknown[] = [];
  for (const [sourceId, of] of readings) {
    const schedule = new Schedule(sourceId, intervalMs);
    of.forEach(({ timeMs, count, reason }, index) => {
      const before = of[index - 1]?.timeMs;
      const due = before === undefined ? count : schedule.countBetween(before, timeMs) + 1;
      if (due !== count || timeMs <= (before ?? 0)) wrong.push({ sourceId, before, timeMs, count, due, reason });
    });
  }
  expect(wrong).toEqual([]);
  expect((await client.range(prefixRange(keys.watched))).kvs).toHaveLength(0);
}, 180_000);
