import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { EtcdScalingRecords } from "../../src/scaling/coordinator/etcd/etcd-scaling-records.ts";
import type { RecordedScaling } from "../../src/scaling/coordinator/scaling-records.ts";

// Coordinators in processes of their own, which share an etcd. There are no other processes, so they decide that there should be
// two gateways, one streamer and one collector.

let etcd: ProvidedEtcd;
let client: EtcdClient;
let started: PipelineProcess[] = [];
const run = crypto.randomUUID().slice(0, 8);

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterEach(async () => {
  for (const each of started) {
    each.subprocess.kill("SIGCONT");
    await stopPipeline(each, "SIGKILL");
  }
  started = [];
}, 60_000);
afterAll(async () => {
  client.close();
  await etcd.stop();
});

interface Coordinator {
  readonly process: PipelineProcess;
  readonly url: string;
}

async function start(topic: string): Promise<Coordinator> {
  const process = startPipeline({
    ROLE: "coordinator",
    ETCD_ENDPOINTS: etcd.endpoints.join(","),
    QUEUE_TOPIC: `${topic}-${run}`,
    SERVICE_LEASE_SECONDS: "3",
  });
  started.push(process);
  return { process, url: await urlOf(process) };
}

const records = (topic: string): EtcdScalingRecords => new EtcdScalingRecords({ client, topic: `${topic}-${run}` });

/** Waits until a leader has decided, other than the one of `notTerm`. */
async function leaderOf(topic: string, notTerm?: string): Promise<RecordedScaling> {
  let read = await records(topic).read(100);
  await until(async () => {
    read = await records(topic).read(100);
    const { leader, state } = read;
    return leader !== undefined && leader.term !== notTerm && state?.newest[0]?.term === Number(leader.term);
  });
  return read;
}

/** The coordinator that a process id in the leader's id names. */
function leading(coordinators: readonly Coordinator[], { leader }: RecordedScaling): Coordinator {
  const found = coordinators.find(({ process }) => leader?.instanceId.includes(`:${process.subprocess.pid}:`));
  if (found === undefined) throw new Error(`no coordinator is ${leader?.instanceId}`);
  return found;
}

async function metric({ url }: Coordinator, name: string): Promise<string | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split("\n").find((line) => line.startsWith(name));
}

test("of three coordinators one leads; when it is killed, another leads within its lease, and decides nothing twice", async () => {
  const coordinators = await Promise.all([start("killed"), start("killed"), start("killed")]);
  const first = await leaderOf("killed");
  const leaders = await Promise.all(coordinators.map((each) => metric(each, "telemetry_scaling_leader")));
  expect(leaders.toSorted()).toEqual([
    "telemetry_scaling_leader 0",
    "telemetry_scaling_leader 0",
    "telemetry_scaling_leader 1",
  ]);
  expect(first.changes.map(({ role, to }) => `${role} ${to}`).toSorted()).toEqual([
    "collector 1",
    "gateway 2",
    "streamer 1",
  ]);
  const killedAt = performance.now();
  await stopPipeline(leading(coordinators, first).process, "SIGKILL");
  const next = await leaderOf("killed", first.leader?.term);
  expect(performance.now() - killedAt).toBeLessThan(3000 + 3000);
  expect(BigInt(next.leader?.term ?? 0) > BigInt(first.leader?.term ?? 0)).toBe(true);
  expect(next.changes).toEqual(first.changes);
}, 60_000);

test("a leader that was frozen for longer than its lease does not lead when it wakes, and writes nothing", async () => {
  const coordinators = await Promise.all([start("frozen"), start("frozen")]);
  const first = await leaderOf("frozen");
  const old = leading(coordinators, first);
  old.process.subprocess.kill("SIGSTOP");
  const next = await leaderOf("frozen", first.leader?.term);
  old.process.subprocess.kill("SIGCONT");
  await until(async () => (await metric(old, "telemetry_scaling_leader")) === "telemetry_scaling_leader 0");
  // the next leader's decisions go on, and none is of the old term
  const at = next.state?.as_of;
  await until(async () => (await records("frozen").read(1)).state?.as_of !== at);
  const later = await records("frozen").read(100);
  expect(later.leader?.term).toBe(next.leader?.term);
  expect(later.state?.newest.map(({ term }) => term)).toEqual(Array(3).fill(Number(next.leader?.term)));
  expect(later.changes).toEqual(first.changes);
}, 60_000);

test("a leader that stops gives up its term at once, and its figures disappear", async () => {
  const only = await start("stopped");
  await leaderOf("stopped");
  const figures = async (): Promise<string[]> =>
    (await client.range(prefixRange(`/pipelines/stopped-${run}/scaling/figures/`))).kvs.map(({ value }) =>
      value.toString(),
    );
  await until(async () => (await figures()).length === 5);
  await stopPipeline(only.process);
  expect(await figures()).toEqual([]);
  expect((await records("stopped").read(1)).leader).toBeUndefined();
  expect(only.process.output()).not.toContain('"level":50');
}, 60_000);

test("the figures of a killed leader disappear within its lease, instead of becoming old", async () => {
  const only = await start("vanished");
  await leaderOf("vanished");
  await stopPipeline(only.process, "SIGKILL");
  await until(async () => Object.keys((await records("vanished").read(1)).figures.desired).length === 0);
  const { state, figures } = await records("vanished").read(1);
  expect(figures.backlogMessages).toBeUndefined();
  expect(state?.desired).toEqual({ streamer: 1, collector: 1, gateway: 2 });
}, 60_000);
