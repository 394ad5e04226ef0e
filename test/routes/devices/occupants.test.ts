import { afterAll, beforeAll, expect, test } from "bun:test";
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
