import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { firstSecondMs, fleet, gatewayOver, gpuOf, openFleetStore, type TestGateway } from "./gateway.ts";

const complete = { gpu_utilization: 50, temperature: 60, power_draw: 100, memory_used_mb: 1000, memory_free_mb: 3000 };
/** In cluster "complete", each record has all metrics that the stats need. In cluster "replaced", a slot received another GPU. */
const moreClusters = [
  { gpu: gpuOf("complete", "h", 0), timeMs: firstSecondMs, values: { ...complete, temperature: 149 } },
  { gpu: gpuOf("complete", "h", 0), timeMs: firstSecondMs + 1000, values: complete },
  { gpu: gpuOf("replaced", "r", 0, { uuid: "GPU-z-old" }), timeMs: firstSecondMs, values: { temperature: 1 } },
  { gpu: gpuOf("replaced", "r", 0, { uuid: "GPU-a-new" }), timeMs: firstSecondMs + 1000, values: { temperature: 2 } },
];

let gateway: TestGateway;
let others: TestGateway;
const opened: Awaited<ReturnType<typeof openFleetStore>>[] = [];
beforeAll(async () => {
  opened.push(await openFleetStore(fleet), await openFleetStore(moreClusters));
  [gateway, others] = opened.map((store) => gatewayOver(store)) as [TestGateway, TestGateway];
});
afterAll(() => Promise.all(opened.map(({ close }) => close())));

const hostA = {
  hostname: "host-a",
  cluster_id: "alpha",
  gpu_count: 2,
  active_gpu_count: 2,
  silent_gpu_count: 0,
  decommissioned_gpu_count: 0,
  status: "active",
  last_seen_at: "2025-07-18T20:42:37.250Z",
};
const alpha = {
  id: "alpha",
  name: "alpha",
  host_count: 2,
  gpu_count: 3,
  active_gpu_count: 2,
  silent_gpu_count: 1,
  decommissioned_gpu_count: 0,
  status: "active",
  last_seen_at: "2025-07-18T20:42:37.250Z",
};

describe("GPUs", () => {
  test("the list counts every GPU; an element has the place, model and status, and the times of the first and last record", async () => {
    const body = await gateway.json("/api/v1/gpus");
    expect(Object.keys(body)).toEqual(["success", "count", "total", "data"]);
    expect(body).toMatchObject({ success: true, count: 4 });
    expect(body.data).toContainEqual({
      id: "0",
      uuid: "GPU-host-a-0",
      hostname: "host-a",
      name: "NVIDIA H100 80GB HBM3",
      device: "nvidia0",
      status: "active",
      cluster_id: "alpha",
      driver_version: "535.129.03",
      first_seen_at: "2025-07-18T20:42:34Z",
      last_seen_at: "2025-07-18T20:42:37.250Z",
      properties: { job: "dcgm" },
    });
  });

  test("an attribute that the input does not have is absent", async () => {
    const { data } = await gateway.json("/api/v1/gpus/GPU-host-a-1");
    expect(Object.keys(data as object)).not.toContain("driver_version");
    expect(Object.keys(data as object)).not.toContain("properties");
  });

  test("a GPU that stopped reporting is silent if its cluster still reports, and active if the whole cluster stopped", async () => {
    const { data } = await gateway.json("/api/v1/gpus");
    const statuses = (data as { uuid: string; status: string }[]).map(({ uuid, status }) => [uuid, status]);
    expect(Object.fromEntries(statuses)).toEqual({
      "GPU-host-a-0": "active",
      "GPU-host-a-1": "active",
      "GPU-host-b-0": "silent",
      "GPU/x y+%é": "active",
    });
    expect(await gateway.json("/api/v1/gpus/GPU-host-b-0")).toMatchObject({ count: 1, data: { status: "silent" } });
  });

  test("names in paths are percent-decoded", async () => {
    const path = `/api/v1/gpus/${encodeURIComponent("GPU/x y+%é")}`;
    expect(await gateway.json(path)).toMatchObject({ success: true, count: 1, data: { uuid: "GPU/x y+%é" } });
    expect(await gateway.json(`${path}/telemetry`)).toMatchObject({ count: 1, data: [{ temperature: 40 }] });
  });

  test("a slash at the end changes nothing", async () => {
    expect(await gateway.json("/api/v1/gpus/")).toEqual(await gateway.json("/api/v1/gpus"));
  });
});

describe("clusters", () => {
  test("are listed by id, with counts and the time of the newest record", async () => {
    expect(await gateway.json("/api/v1/clusters")).toMatchObject({
      count: 2,
      data: [alpha, { id: "beta", gpu_count: 1 }],
    });
    expect(await gateway.json("/api/v1/clusters/alpha")).toEqual({ success: true, count: 1, data: alpha });
  });

  test("stats use each GPU's newest value of the last minute, and leave out metrics that no GPU has", async () => {
    expect(await gateway.json("/api/v1/clusters/alpha/stats")).toEqual({
      success: true,
      count: 1,
      data: {
        cluster_id: "alpha",
        host_count: 2,
        gpu_count: 3,
        active_gpu_count: 2,
        silent_gpu_count: 1,
        decommissioned_gpu_count: 0,
        record_count: 6,
        newest_record_at: "2025-07-18T20:42:37.250Z",
        gpu_utilization: { average: 47.75, max: 85.5, sum: 95.5, gpu_count: 2 },
        temperature: { average: 66, max: 72, sum: 132, gpu_count: 2 },
        power_draw: { average: 210.05, max: 320.1, sum: 420.1, gpu_count: 2 },
        memory_used_mb: { average: 62560, max: 62560, sum: 62560, gpu_count: 1 },
        memory_total_mb: { average: 80480, max: 80480, sum: 80480, gpu_count: 1 },
      },
    });
    const { data } = await gateway.json("/api/v1/clusters/beta/stats");
    expect(Object.keys(data as object)).not.toContain("power_draw");
  });

  test("stats of a cluster with complete records use only the newest record of its GPU", async () => {
    expect(await others.json("/api/v1/clusters/complete/stats")).toMatchObject({
      data: { temperature: { max: 60 }, memory_total_mb: { sum: 4000 } },
    });
  });
});

describe("hosts", () => {
  test("are listed for all clusters and for one cluster", async () => {
    expect(await gateway.json("/api/v1/hosts")).toMatchObject({ count: 3 });
    expect(await gateway.json("/api/v1/clusters/alpha/hosts")).toEqual({
      success: true,
      count: 2,
      data: [
        hostA,
        {
          hostname: "host-b",
          cluster_id: "alpha",
          gpu_count: 1,
          active_gpu_count: 0,
          silent_gpu_count: 1,
          decommissioned_gpu_count: 0,
          status: "silent",
          last_seen_at: "2025-07-18T20:40:34Z",
        },
      ],
    });
    expect(await gateway.json("/api/v1/clusters/alpha/hosts/host-a")).toEqual({ success: true, count: 1, data: hostA });
    expect(await gateway.json("/api/v1/clusters/alpha/hosts/host-b")).toMatchObject({ data: { status: "silent" } });
  });

  test("list their GPUs: for a hostname in all clusters, or for a host in one cluster", async () => {
    expect(await gateway.json("/api/v1/hosts/host-a/gpus")).toMatchObject({ count: 3 });
    const { data } = await gateway.json("/api/v1/clusters/alpha/hosts/host-a/gpus");
    expect((data as { id: string; status: string }[]).map(({ id, status }) => [id, status])).toEqual([
      ["0", "active"],
      ["1", "active"],
    ]);
    const one = await gateway.json("/api/v1/clusters/alpha/hosts/host-b/gpus/0");
    expect(one).toMatchObject({ count: 1, data: { uuid: "GPU-host-b-0", status: "silent" } });
  });

  test("at an index where a GPU was replaced, the GPU that was seen last is found", async () => {
    expect(await others.json("/api/v1/clusters/replaced/hosts/r/gpus/0")).toMatchObject({
      data: { uuid: "GPU-a-new" },
    });
    expect(await others.json("/api/v1/clusters/replaced/hosts/r/gpus/0/metrics")).toMatchObject({
      count: 1,
      data: [{ temperature: 2 }],
    });
  });
});

test("a store without data gives empty lists, and 404 for a cluster", async () => {
  const store = await openFleetStore([]);
  const empty = gatewayOver(store);
  for (const path of ["gpus", "hosts", "clusters", "telemetry", "telemetry/latest"]) {
    expect(await empty.json(`/api/v1/${path}`)).toMatchObject({ success: true, count: 0, data: [] });
  }
  expect((await empty.get("/api/v1/clusters/alpha/stats")).status).toBe(404);
  await store.close();
});
