import { afterAll, beforeAll, expect, test } from "bun:test";
import { unshownLog } from "../../dev/unshown-log.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { batchOf, gatewayOver, gpuOf, openFleetStore, type TestGateway } from "../routes/gateway.ts";
import { ManualClock } from "../support/manual-clock.ts";

// Records of one host, or of an imported file, were two hours ahead. All other hosts of the cluster were silent for two hours, and the GPUs of
// this host counted as active for two hours, even if they were gone.

const nowMs = Date.now();
const record = (hostname: string, timeMs: number) => ({
  gpu: gpuOf("lab", hostname, 0),
  timeMs,
  values: { temperature: 50, power_draw: 300, gpu_utilization: 50 },
});
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;

beforeAll(async () => {
  const records = [
    record("ahead", nowMs + 7_200_000),
    record("present", nowMs - 10_000),
    record("silent", nowMs - 90_000),
  ];
  stored = await openFleetStore(records);
  gateway = gatewayOver(stored);
});

afterAll(async () => {
  await stored.close();
});

// when the record of the future arrived is not known
const expected = { ahead: "silent", present: "active", silent: "silent" };

test("the other hosts of a cluster are compared with the present, not with the future", async () => {
  for (const path of ["/api/v1/hosts", "/api/v1/gpus"]) {
    const { data } = (await gateway.json(path)) as { data: { hostname: string; status: string }[] };
    expect(Object.fromEntries(data.map(({ hostname, status }) => [hostname, status]))).toEqual(expected);
  }
  const answer = await gateway.get("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "{ hosts { hostname status } }" }),
  });
  const { data } = (await answer.json()) as { data: { hosts: { hostname: string; status: string }[] } };
  expect(Object.fromEntries(data.hosts.map(({ hostname, status }) => [hostname, status]))).toEqual(expected);
});

test("the statistics of the cluster count the hosts of the present", async () => {
  const counts = { active_gpu_count: 1, silent_gpu_count: 2 };
  expect(await gateway.json("/api/v1/clusters/lab")).toMatchObject({ data: counts });
  expect(await gateway.json("/api/v1/clusters/lab/stats")).toMatchObject({ data: counts });
});

async function openLive() {
  const opened = await openFleetStore([]);
  const clock = new ManualClock();
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined, clock });
  const fleet = new FleetProjection({ hotTier, store: opened.queries.fleet, clock, log: unshownLog() });
  await fleet.start();
  const live = gatewayOver(opened, { fleet, clock, fleetMetrics: { areServed: true, staleAfterMs: 300_000 } });
  return {
    clock,
    gateway: live,
    report: (hostname: string, aheadMs = 0) => hotTier.write(batchOf([record(hostname, clock.nowMs() + aheadMs)])),
    statuses: async () => {
      const { data } = (await live.json("/api/v1/gpus")) as { data: { hostname: string; status: string }[] };
      return Object.fromEntries(data.map(({ hostname, status }) => [hostname, status]));
    },
    close: async () => {
      await fleet.stop(AbortSignal.abort());
      await opened.close();
    },
  };
}

test("a GPU whose clock is ahead is active while its records arrive, and silent a minute after the last one", async () => {
  const { clock, gateway: live, report, statuses, close } = await openLive();
  const exposed = async () => (await (await live.get("/metrics/fleet")).text()).includes("GPU-ahead-0");
  try {
    await report("ahead", 7_200_000);
    await report("present");
    expect(await statuses()).toEqual({ ahead: "active", present: "active" });
    await clock.advance(60_000);
    await report("present");
    expect(await statuses()).toEqual({ ahead: "active", present: "active" });
    await clock.advance(1000);
    await report("present");
    expect(await statuses()).toEqual({ ahead: "silent", present: "active" });
    expect((await live.json("/api/v1/clusters/lab")).data).toMatchObject({ active_gpu_count: 1, silent_gpu_count: 1 });
    expect(await exposed()).toBe(true);
    await clock.advance(240_000);
    await report("present");
    expect(await exposed()).toBe(false);
    await report("ahead", 7_200_000);
    expect(await statuses()).toEqual({ ahead: "active", present: "active" });
    expect(await exposed()).toBe(true);
  } finally {
    await close();
  }
});

test("a record of the present replaces the newest record if that is of the future", async () => {
  const { clock, gateway: live, report, statuses, close } = await openLive();
  const newest = async () =>
    ((await live.json("/api/v1/telemetry/latest")) as { data: { timestamp: string }[] }).data.map(({ timestamp }) =>
      Date.parse(timestamp),
    );
  try {
    await report("corrected", 86_400_000);
    await clock.advance(120_000);
    await report("corrected");
    await report("present");
    expect(await newest()).toEqual([clock.nowMs(), clock.nowMs()]);
    expect(await statuses()).toEqual({ corrected: "active", present: "active" });
    await clock.advance(61_000);
    await report("present");
    expect(await statuses()).toEqual({ corrected: "silent", present: "active" });
  } finally {
    await close();
  }
});
