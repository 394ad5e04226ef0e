import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import type { ApiFault, ApiFaultDetail, ApiFaultNews } from "../../src/routes/schemas/fault.ts";
import type { ApiFaultOrder } from "../../src/routes/schemas/fault-order.ts";
import type { ApiSilence } from "../../src/routes/schemas/fault-silence.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

// One process with everything in it, without etcd and PostgreSQL, is killed twice while its simulated fleet has faults.

const dir = await mkdtemp(join(tmpdir(), "telemetry-killed-process-"));
/** Faults that go on while the process is away; each process has one more. */
const acknowledged = "memory.row-remap.failed";
const silenced = "memory.pages-retired.pending";
const added = "memory.ecc.correctable.total";
/** Begins and ends in the last process. */
const passing = "health.failed";
/** What a client was told that continues after the newest change that it knows, whenever the process is back. */
const follower = { sequences: [] as number[], told: [] as string[] };
let port = 0;
let url: string;
let running: PipelineProcess | undefined;

beforeAll(async () => {
  [port = 0] = await freePorts(1);
  await makeDataDir(join(dir, "data"));
  await Bun.write(join(dir, "rules.yaml"), `${passing}:\n  resolve_for_seconds: 1\n`);
}, 60_000);
afterAll(async () => {
  if (running !== undefined) await stopPipeline(running, "SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

/** Starts the process with faults on its folder, and follows the changes after the newest one that was seen. */
async function start(...faults: readonly string[]): Promise<PipelineProcess> {
  running = startPipeline({
    ...{ DATA_DIR: join(dir, "data"), PORT: String(port), FAULT_RULES_FILE: join(dir, "rules.yaml") },
    ...{ SIM_HOSTS: "4", SIM_GPUS_PER_HOST: "4", SIM_INTERVAL: "500ms", SIM_FAULTS: faults.join() },
  });
  url = await urlOf(running);
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
  socket.onmessage = ({ data }) => {
    const { type, ...news } = JSON.parse(String(data)) as { type: string } & ApiFaultNews;
    if (type !== "fault_change") return;
    follower.sequences.push(news.sequence);
    follower.told.push(`${news.fault.name} ${news.change.state}`);
  };
  await new Promise((opened) => (socket.onopen = opened));
  socket.send(JSON.stringify({ type: "subscribe_faults", since: follower.sequences.at(-1) ?? 0 }));
  return running;
}

async function api<Data>(path: string, method = "GET"): Promise<Data> {
  const response = await fetch(`${url}/api/v1${path}`, { method });
  const body = (await response.json()) as { data: Data };
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(body)}`);
  return body.data;
}

const isTold = (name: string, state: string) => until(() => follower.told.includes(`${name} ${state}`));

async function acknowledge(name: string): Promise<ApiFaultOrder> {
  const [fault] = await api<ApiFault[]>(`/faults?name=${name}`);
  return api(`/faults/${encodeURIComponent(fault?.id ?? "")}/acknowledge?comment=drained`, "POST");
}

function silence(name: string): Promise<ApiSilence> {
  const end = new Date(Date.now() + 3_600_000).toISOString();
  return api(`/silences?name=${name}&reason=${encodeURIComponent("new board")}&end_time=${end}`, "POST");
}

test("of a process that is killed twice, each change of a fault is told once and in order, and the operator's orders are kept", async () => {
  const first = await start(`${acknowledged}@1s`);
  await isTold(acknowledged, "firing");
  expect((await acknowledge(acknowledged)).outcome).toBe("done");
  await stopPipeline(first, "SIGKILL");

  const second = await start(`${acknowledged}@1s`, `${silenced}@1s`);
  await isTold(silenced, "firing");
  const made = await silence(silenced);
  await stopPipeline(second, "SIGKILL");

  await start(`${acknowledged}@1s`, `${silenced}@1s`, `${added}@2s`, `${passing}@1s-3s`);
  await isTold(passing, "resolved");
  await isTold(added, "firing");

  expect(follower.sequences).toEqual(follower.told.map((_, index) => index + 1));
  const states: Readonly<Record<string, readonly string[]>> = {
    [acknowledged]: ["firing", "acknowledged"],
    [silenced]: ["firing"],
    [added]: ["firing"],
    [passing]: ["firing", "resolved"],
  };
  const told = follower.told.map((each) => each.split(" ") as [name: string, state: string]);
  for (const [name, expected] of Object.entries(states)) {
    expect(told.filter(([each]) => each === name).map(([, state]) => state)).toEqual([...expected]);
  }
  expect(told).toHaveLength(Object.values(states).flat().length);
  const listed = await api<ApiFault[]>("/faults?state=pending,firing,acknowledged,resolved");
  expect(listed.map(({ name }) => name).toSorted()).toEqual(Object.keys(states).toSorted());
  for (const { id, name } of listed) {
    const { changes, comment, silenced_by: by } = await api<ApiFaultDetail>(`/faults/${encodeURIComponent(id)}`);
    const stored = changes.map(({ ordinal, state }) => `${ordinal} ${state}`);
    expect(stored).toEqual((states[name] ?? []).map((state, index) => `${index + 1} ${state}`));
    expect({ comment, by }).toEqual({
      comment: name === acknowledged ? "drained" : undefined,
      by: name === silenced ? [made.id] : [],
    });
  }
  expect(await api<ApiSilence[]>("/silences")).toEqual([made]);
}, 60_000);
