import { afterAll, beforeAll, expect, test } from "bun:test";
import { messageOf } from "../../dev/make-batch.ts";
import type { InventoryChange } from "../../src/domain/inventory.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import type { FleetQueries } from "../../src/pipeline/store/telemetry-queries.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { FleetStates } from "../../src/routes/fleet/fleet-states.ts";
import { hotBatch } from "../support/hot-records.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { firstSecondMs, type FleetRecord, gatewayOver, gpuOf, openFleetStore, type TestGateway } from "./gateway.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// The lists of GPUs and hosts say which of them are under maintenance or decommissioned.

const minuteMs = 60_000;
const instance = gpuOf("alpha", "host-m", 0, { uuid: "GPU-m:mig:1:1g.10gb" });
const records: readonly FleetRecord[] = [
  ...[0, 1].map((index) => gpuOf("alpha", "host-a", index)),
  ...[0, 1].map((index) => gpuOf("alpha", "host-b", index)),
  instance,
].map((gpu) => ({ gpu, timeMs: firstSecondMs, values: { temperature: 1 } }));

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let fleet: FleetProjection;
let states: FleetStates;
let gateway: TestGateway;
let isStoreAway = false;
const clock = new ManualClock(Date.now());
const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
const log = unshownLog();
const stateSpans: FleetQueries["stateSpans"] = (known) =>
  isStoreAway ? Promise.reject(new Error("the database is away")) : stored.queries.fleet.stateSpans(known);

beforeAll(async () => {
  stored = await openFleetStore(records);
  fleet = new FleetProjection({ hotTier, store: stored.queries.fleet, clock, log });
  states = new FleetStates({ store: { stateSpans }, fleet, clock, log });
  gateway = gatewayOver(stored, { fleet, services: [states] });
  await fleet.start();
});
afterAll(async () => {
  for (const service of [states, fleet]) await service.stop(AbortSignal.abort());
  await stored.close();
});

type Row = Readonly<Record<string, unknown>>;
const rowsOf = async (path: string): Promise<readonly Row[]> => (await gateway.json(path))["data"] as readonly Row[];
const statesOf = async (path: string) => (await rowsOf(path)).map(({ state }) => state ?? "unknown");
const graphql = async (query: string): Promise<unknown> => {
  const headers = { "content-type": "application/json" };
  const response = await gateway.get("/graphql", { method: "POST", headers, body: JSON.stringify({ query }) });
  return ((await response.json()) as { data: unknown }).data;
};
const change = async (action: InventoryChange["action"], more: Partial<InventoryChange>): Promise<void> => {
  const outcome = await stored.inventory.change({
    action,
    fromMs: undefined,
    toMs: undefined,
    note: "",
    subject: {},
    ...more,
  });
  expect(outcome.kind).toBe("changed");
  await states.check();
};
let messages = 0;
const report = async (record: FleetRecord): Promise<void> => {
  const batch = hotBatch([{ ...record, metrics: record.values }]);
  await stored.store.ingest(messageOf(`report ${messages++}`, batch));
  await hotTier.write(batch);
};

test("until the inventory has been read, GPUs and hosts have no state, and none can be selected by it", async () => {
  isStoreAway = true;
  await states.start();
  expect(await statesOf("/api/v1/gpus?hostname=host-a")).toEqual(["unknown", "unknown"]);
  expect(await statesOf("/api/v1/hosts?hostname=host-a")).toEqual(["unknown"]);
  expect(await gateway.json("/api/v1/gpus?state=active")).toMatchObject({ error: { code: "store_unavailable" } });
  expect(await gateway.json("/health")).toMatchObject({
    components: { states: { status: "degraded", reason: expect.stringContaining("the database is away") as string } },
  });
  expect((await gateway.get("/health/ready")).status).toBe(200);
  isStoreAway = false;
  await states.check();
  expect(states.error()).toBeUndefined();
  expect(await statesOf("/api/v1/gpus?hostname=host-a")).toEqual(["active", "active"]);
  expect(await statesOf("/api/v1/hosts")).toEqual(["active", "active", "active"]);
});

test("a maintenance begins and ends at its time, also while the store is away, and so do the answers and their ETags", async () => {
  const nowMs = Date.now();
  const subject = { clusterId: "alpha", hostname: "host-a" };
  await change("maintenance", { subject, fromMs: nowMs + 10 * minuteMs, toMs: nowMs + 20 * minuteMs });
  const paths = ["/api/v1/gpus", "/api/v1/gpus/GPU-host-a-0", "/api/v1/hosts"];
  const etags = () => Promise.all(paths.map(async (path) => (await gateway.get(path)).headers.get("etag") ?? ""));
  const before = await etags();
  const query = "{ gpus(state: maintenance) { uuid state } hosts(state: maintenance) { hostname state } }";
  expect(await graphql(query)).toEqual({ gpus: [], hosts: [] });
  isStoreAway = true;
  await clock.freeze(11 * minuteMs);
  const during = await etags();
  for (const [index, etag] of during.entries()) expect(etag).not.toBe(before[index] as string);
  expect(await statesOf("/api/v1/gpus")).toEqual([
    "maintenance",
    "maintenance",
    "active",
    "active",
    "active",
    "active",
  ]);
  expect(await statesOf("/api/v1/hosts")).toEqual(["maintenance", "active", "active"]);
  expect(await graphql(query)).toEqual({
    gpus: [0, 1].map((index) => ({ uuid: `GPU-host-a-${index}`, state: "maintenance" })),
    hosts: [{ hostname: "host-a", state: "maintenance" }],
  });
  expect(states.error()).toContain("the database is away");
  await clock.freeze(10 * minuteMs);
  expect(await etags()).toEqual(before);
  expect(await graphql(query)).toEqual({ gpus: [], hosts: [] });
  isStoreAway = false;
});

test("a decommissioned GPU stays in the lists, marked and not silent, until it reports more than 10 minutes later", async () => {
  const gpu = gpuOf("alpha", "host-b", 1);
  const goneAtMs = firstSecondMs + minuteMs;
  await change("decommission", { subject: { uuid: gpu.uuid }, fromMs: goneAtMs });
  await report({ gpu: gpuOf("alpha", "host-b", 0), timeMs: goneAtMs + 5 * minuteMs, values: { temperature: 2 } });
  expect(await rowsOf("/api/v1/gpus?state=decommissioned")).toMatchObject([
    { uuid: gpu.uuid, status: "silent", state: "decommissioned" },
  ]);
  expect(await rowsOf("/api/v1/hosts?hostname=host-b")).toMatchObject([
    { gpu_count: 2, active_gpu_count: 1, silent_gpu_count: 0, decommissioned_gpu_count: 1, state: "active" },
  ]);
  expect(await gateway.json("/api/v1/clusters/alpha/stats")).toMatchObject({
    data: { gpu_count: 5, silent_gpu_count: 3, decommissioned_gpu_count: 1 },
  });
  for (const accept of ["text/csv", "application/x-ndjson"]) {
    const text = await (await gateway.get("/api/v1/gpus?state=decommissioned", { headers: { accept } })).text();
    expect(text.trimEnd()).toEndWith(accept === "text/csv" ? ",decommissioned" : '"state":"decommissioned"}');
  }
  await report({ gpu, timeMs: goneAtMs + 9 * minuteMs, values: { temperature: 3 } });
  await states.check();
  expect(await statesOf(`/api/v1/gpus?gpu_uuid=${gpu.uuid}`)).toEqual(["decommissioned"]);
  await report({ gpu, timeMs: goneAtMs + 11 * minuteMs, values: { temperature: 4 } });
  await states.check();
  expect(await statesOf(`/api/v1/gpus?gpu_uuid=${gpu.uuid}`)).toEqual(["active"]);
});

test("a GPU that only its instances report is decommissioned with them", async () => {
  const { clusterId, hostname } = instance;
  await stored.inventory.declare([{ clusterId, hostname, uuid: "GPU-m", gpus: undefined }]);
  await change("decommission", { subject: { uuid: "GPU-m" } });
  expect(await statesOf("/api/v1/gpus?hostname=host-m")).toEqual(["decommissioned", "decommissioned"]);
  await change("restore", { subject: { uuid: "GPU-m" } });
  expect(await statesOf("/api/v1/gpus?hostname=host-m")).toEqual(["active", "active"]);
});

test("a GPU that is put into a host under maintenance has the host's state", async () => {
  await change("maintenance", { subject: { clusterId: "alpha", hostname: "host-a" } });
  const gpu = gpuOf("alpha", "host-a", 7);
  await report({ gpu, timeMs: firstSecondMs, values: { temperature: 5 } });
  await states.check();
  expect(await statesOf(`/api/v1/gpus?gpu_uuid=${gpu.uuid}`)).toEqual(["maintenance"]);
});
