import { afterAll, beforeAll, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { LiveClient } from "../live/live-gateway.ts";
import { type DeviceGateway, openDeviceGateway, pick } from "./device-gateway.ts";

const utilization = { metric: "DCGM_FI_DEV_GPU_UTIL", value: "66" };
const x = { container: "c", pod: "pod-x", namespace: "ml" };
const y = { container: "c", pod: "pod-y", namespace: "web" };

let gateway: DeviceGateway;
beforeAll(async () => {
  gateway = await openDeviceGateway([
    { ...utilization, ...y },
    { ...utilization, ...x },
    { ...utilization, uuid: "GPU-1", gpu: "1", ...x },
    { ...utilization, uuid: "GPU-2", gpu: "2" },
  ]);
});
afterAll(() => gateway.close());

test("a newest record names all workloads that share its GPU; of one workload, only the three plain fields", async () => {
  const records = await gateway.data("/api/v1/telemetry/latest");
  expect(pick(records, "uuid", "pod", "namespace", "occupants", "gpu_utilization")).toEqual([
    ["GPU-0", "pod-x", "ml", [x, y], 66],
    ["GPU-1", "pod-x", "ml", undefined, 66],
    ["GPU-2", undefined, undefined, undefined, 66],
  ]);
});

test("namespace selects a GPU that one of several occupants of this namespace holds", async () => {
  const uuids = async (path: string) => pick(await gateway.data(path), "uuid");
  for (const path of ["/api/v1/gpus", "/api/v1/telemetry/latest"]) {
    expect(await uuids(`${path}?namespace=web`)).toEqual(["GPU-0"]);
    expect(await uuids(`${path}?namespace=ml`)).toEqual(["GPU-0", "GPU-1"]);
  }
});

test("the history has the occupants of each record, and selects by the namespace of any of them", async () => {
  const records = await gateway.data("/api/v1/telemetry");
  expect(pick(records, "uuid", "pod", "occupants")).toEqual([
    ["GPU-0", "pod-x", [x, y]],
    ["GPU-1", "pod-x", undefined],
    ["GPU-2", undefined, undefined],
  ]);
  const uuids = async (query: string) => pick(await gateway.data(`/api/v1/telemetry?${query}`), "uuid");
  expect(await uuids("namespace=web")).toEqual(["GPU-0"]);
  expect(await uuids("namespace=ml")).toEqual(["GPU-0", "GPU-1"]);
});

test("changes of a shared GPU name all its occupants, in REST and GraphQL", async () => {
  const from = "2025-07-18T20:42:34Z";
  expect(await gateway.data("/api/v1/gpus/GPU-0/changes")).toMatchObject({
    workloads: [{ from, ...x, occupants: [x, y] }],
  });
  expect(await gateway.data("/api/v1/gpus/GPU-1/changes")).toMatchObject({ workloads: [{ from, ...x }] });
  const fields = "workloads { from pod occupants { container pod namespace } }";
  expect(
    await gateway.ask(`{ a: gpuChanges(uuid: "GPU-0") { ${fields} } b: gpuChanges(uuid: "GPU-2") { ${fields} } }`),
  ).toEqual({
    a: { workloads: [{ from, pod: "pod-x", occupants: [x, y] }] },
    b: { workloads: [{ from, pod: "", occupants: null }] },
  });
});

test("an aggregate by namespace counts a shared GPU once for each namespace; by host, once", async () => {
  const range = "resolution=1m&start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z";
  const counts = async (groupBy: string) => {
    const path = `/api/v1/telemetry/aggregates?group_by=${groupBy}&metrics=gpu_utilization&${range}`;
    const rows = (await gateway.data(path)) as { group: object; metrics: { gpu_utilization: { count: number } } }[];
    return rows.map(({ group, metrics }) => [group, metrics.gpu_utilization.count]);
  };
  expect(await counts("namespace")).toEqual([
    [{ namespace: "" }, 1],
    [{ namespace: "ml" }, 2],
    [{ namespace: "web" }, 1],
  ]);
  expect(await counts("host")).toEqual([[{ cluster_id: "local-cluster", hostname: "host-1" }, 3]]);
});

test("a CSV has a column for occupants only if GPUs are shared, and as JSON", async () => {
  const csv = async (from: DeviceGateway, path: string) =>
    parse(await (await from.get(path, { headers: { accept: "text/csv" } })).text(), {
      columns: true,
    }) as unknown as Record<string, string>[];
  const plain = await openDeviceGateway([{ ...utilization, ...x }]);
  try {
    for (const path of ["/api/v1/telemetry", "/api/v1/telemetry/latest", "/api/v1/gpus/GPU-0/telemetry?limit=1"]) {
      const [shared] = await csv(gateway, path);
      expect([path, JSON.parse(shared?.["occupants"] ?? "")]).toEqual([path, [x, y]]);
      const [row] = await csv(plain, path);
      expect(Object.keys(row ?? {})).toContain("pod");
      expect(Object.keys(row ?? {})).not.toContain("occupants");
    }
  } finally {
    await plain.close();
  }
});

test("a shared GPU counts once in statistics", async () => {
  expect(await gateway.data("/api/v1/clusters/local-cluster/stats")).toMatchObject({
    gpu_count: 3,
    gpu_utilization: { sum: 198, gpu_count: 3 },
  });
});

test("GraphQL has the occupants of a shared GPU, null otherwise", async () => {
  expect(await gateway.ask("{ latestTelemetry { uuid pod occupants { namespace pod container } } }")).toEqual({
    latestTelemetry: [
      { uuid: "GPU-0", pod: "pod-x", occupants: [x, y] },
      { uuid: "GPU-1", pod: "pod-x", occupants: null },
      { uuid: "GPU-2", pod: null, occupants: null },
    ],
  });
});

test("over /ws, an update of a shared GPU has its occupants, also when one joins at the same instant", async () => {
  const client = await LiveClient.open(gateway);
  const filters = { gpu_uuids: ["GPU-0", "GPU-1"], metrics: ["gpu_utilization"] };
  await client.ask({ type: "subscribe", filters });
  expect(pick(await client.take(2), "gpu_uuid", "occupants")).toEqual([
    ["GPU-0", [x, y]],
    ["GPU-1", undefined],
  ]);
  await gateway.importRows([{ ...utilization, uuid: "GPU-1", gpu: "1", ...y }]);
  expect(await client.next()).toMatchObject({ gpu_uuid: "GPU-1", occupants: [x, y], data: { gpu_utilization: 66 } });
  client.close();
});
