import { afterAll, beforeAll, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { LiveClient } from "../live/live-gateway.ts";
import { type DeviceGateway, migLabels, openDeviceGateway, pick } from "./device-gateway.ts";

const used = "DCGM_FI_DEV_FB_USED";
const power = "DCGM_FI_DEV_POWER_USAGE";
const utilization = "DCGM_FI_DEV_GPU_UTIL";
const three = { more: migLabels("3", "1g.10gb"), pod: "train-a", namespace: "ml" };
const four = { more: migLabels("4", "2g.20gb"), pod: "train-b", namespace: "web" };

let gateway: DeviceGateway;
beforeAll(async () => {
  gateway = await openDeviceGateway([
    { metric: used, value: "4100", ...three },
    { metric: power, value: "300.5", ...three },
    { metric: used, value: "200", ...four },
    { metric: power, value: "300.5", ...four },
    { metric: used, value: "1000", uuid: "GPU-1", gpu: "1" },
    { metric: utilization, value: "50", uuid: "GPU-1", gpu: "1" },
  ]);
});
afterAll(() => gateway.close());

const instance3 = "GPU-0:mig:3:1g.10gb";
const instance4 = "GPU-0:mig:4:2g.20gb";

test("a list of GPUs has each MIG instance after its GPU, with its parent, id and profile", async () => {
  const fields = ["uuid", "id", "parent_uuid", "mig_instance_id", "mig_profile"];
  expect(pick(await gateway.data("/api/v1/gpus"), ...fields)).toEqual([
    ["GPU-0", "0", undefined, undefined, undefined],
    [instance3, "0", "GPU-0", "3", "1g.10gb"],
    [instance4, "0", "GPU-0", "4", "2g.20gb"],
    ["GPU-1", "1", undefined, undefined, undefined],
  ]);
  expect(await gateway.data(`/api/v1/gpus/${encodeURIComponent(instance3)}`)).toMatchObject({ parent_uuid: "GPU-0" });
});

test("a record of an instance has its own values and telemetry_id; only the GPU's record has the board's power", async () => {
  for (const path of ["/api/v1/telemetry", "/api/v1/telemetry/latest"]) {
    const records = await gateway.data(`${path}?hostname=host-1&limit=10`);
    const fields = ["telemetry_id", "memory_used_mb", "power_draw", "pod", "parent_uuid", "mig_profile"];
    expect(pick(records, ...fields).sort()).toEqual([
      ["host-1_0:mig:3:1g.10gb_1752871354", 4100, undefined, "train-a", "GPU-0", "1g.10gb"],
      ["host-1_0:mig:4:2g.20gb_1752871354", 200, undefined, "train-b", "GPU-0", "2g.20gb"],
      ["host-1_0_1752871354", undefined, 300.5, undefined, undefined, undefined],
      ["host-1_1_1752871354", 1000, undefined, undefined, undefined, undefined],
    ]);
  }
});

test("parent_uuid selects the instances of a GPU, without the GPU, in lists, newest records and history", async () => {
  for (const path of ["/api/v1/gpus", "/api/v1/telemetry", "/api/v1/telemetry/latest"]) {
    const uuids = async (query: string) => pick(await gateway.data(`${path}?${query}`), "uuid").sort();
    expect(await uuids("parent_uuid=GPU-0")).toEqual([instance3, instance4]);
    expect(await uuids("parent_uuid=GPU-0&namespace=web")).toEqual([instance4]);
    expect(await uuids("parent_uuid=GPU-1")).toEqual([]);
    expect(await uuids("parent_uuid=GPU")).toEqual([]);
  }
  expect(pick(await gateway.data("/api/v1/hosts?parent_uuid=GPU-0"), "hostname")).toEqual(["host-1"]);
  const range = "start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z";
  const aggregates = `/api/v1/telemetry/aggregates?group_by=gpu&metrics=memory_used_mb&resolution=1m&${range}`;
  expect(pick(await gateway.data(`${aggregates}&parent_uuid=GPU-0`), "group")).toEqual([
    { uuid: instance3 },
    { uuid: instance4 },
  ]);
});

test("a place on a host is the GPU's; with :mig: and an id, it is the instance's", async () => {
  const host = "/api/v1/clusters/local-cluster/hosts/host-1/gpus";
  expect(await gateway.data(`${host}/0`)).toMatchObject({ uuid: "GPU-0" });
  expect(await gateway.data(`${host}/0:mig:3`)).toMatchObject({ uuid: instance3 });
  expect(pick(await gateway.data(`${host}/0:mig:4/metrics`), "uuid", "memory_used_mb")).toEqual([[instance4, 200]]);
  expect(await gateway.data(`${host}/0:mig:5`)).toMatchObject({
    error: { code: "not_found", message: expect.stringContaining("MIG instance") as string },
  });
  expect(await gateway.data(`${host}/1:mig:3`)).toMatchObject({ error: { code: "not_found" } });
  expect(await gateway.data(`${host}/0:mig:`)).toMatchObject({ error: { code: "invalid_parameter" } });
});

test("an instance that was cut again is the one in its place; the old one remains in the lists", async () => {
  const cut = await openDeviceGateway([
    { metric: used, value: "1", ...three },
    { metric: used, value: "2", timestamp: "2025-07-18T20:45:00Z", more: migLabels("3", "7g.80gb") },
  ]);
  try {
    const host = "/api/v1/clusters/local-cluster/hosts/host-1";
    expect(await cut.data(`${host}/gpus/0:mig:3`)).toMatchObject({ uuid: "GPU-0:mig:3:7g.80gb", status: "active" });
    expect(pick(await cut.data("/api/v1/gpus"), "uuid", "status")).toEqual([
      ["GPU-0", "active"],
      [instance3, "silent"],
      ["GPU-0:mig:3:7g.80gb", "active"],
    ]);
    expect(await cut.data(host)).toMatchObject({
      gpu_count: 1,
      mig_instances: 2,
      active_mig_instances: 1,
      status: "active",
    });
    expect(await cut.data(`${host}/gpus/0`)).toMatchObject({ uuid: "GPU-0", status: "active" });
  } finally {
    await cut.close();
  }
});

test("counts of GPUs leave instances out, and statistics count no value twice", async () => {
  const counts = { gpu_count: 2, active_gpu_count: 2, silent_gpu_count: 0, mig_instances: 2, active_mig_instances: 2 };
  expect(await gateway.data("/api/v1/hosts")).toMatchObject([counts]);
  expect(await gateway.data("/api/v1/clusters")).toMatchObject([{ ...counts, host_count: 1 }]);
  expect(await gateway.data("/api/v1/clusters/local-cluster/stats")).toMatchObject({
    ...counts,
    memory_used_mb: { sum: 5300, average: 5300 / 3, gpu_count: 3 },
    power_draw: { sum: 300.5, average: 300.5, gpu_count: 1 },
    gpu_utilization: { average: 50, gpu_count: 1 },
  });
  const both = await openDeviceGateway([
    { metric: used, value: "4300" },
    { metric: used, value: "4100", ...three },
    { metric: used, value: "200", ...four },
  ]);
  try {
    expect(await both.data("/api/v1/clusters/local-cluster/stats")).toMatchObject({
      memory_used_mb: { sum: 4300, average: 4300, gpu_count: 1 },
    });
    expect(both.fleet.activity()).toBe("1 GPUs and 2 MIG instances in memory");
  } finally {
    await both.close();
  }
});

test("a fleet without instances has neither their counts nor their fields", async () => {
  const plain = await openDeviceGateway([{ metric: used, value: "1" }]);
  try {
    const paths = ["gpus", "hosts", "clusters", "telemetry", "telemetry/latest", "clusters/local-cluster/stats"];
    for (const path of paths) {
      const text = await (await plain.get(`/api/v1/${path}`)).text();
      expect([path, /mig_|parent_uuid|occupants/.test(text)]).toEqual([path, false]);
    }
    expect(plain.fleet.activity()).toBe("1 GPUs in memory");
  } finally {
    await plain.close();
  }
});

test("CSV and NDJSON have the fields of instances", async () => {
  for (const path of ["/api/v1/gpus", "/api/v1/telemetry", "/api/v1/telemetry/latest"]) {
    const as = async (accept: string) => (await gateway.get(path, { headers: { accept } })).text();
    const csv: unknown = parse(await as("text/csv"), { columns: true });
    expect(pick(csv, "uuid", "parent_uuid", "mig_instance_id", "mig_profile")).toContainEqual([
      instance4,
      "GPU-0",
      "4",
      "2g.20gb",
    ]);
    const lines = (await as("application/x-ndjson")).trimEnd().split("\n");
    const rows = lines.map((line) => JSON.parse(line) as unknown);
    expect(pick(rows, "uuid", "mig_profile")).toContainEqual([instance4, "2g.20gb"]);
  }
});

test("GraphQL leads from a GPU to its instances and back, selects by parentUuid, and counts as REST does", async () => {
  expect(
    await gateway.ask(`{
      gpu(uuid: "GPU-0") { parentUuid parent { uuid } instances { uuid migInstanceId migProfile parent { uuid } } }
      gpus(parentUuid: "GPU-0") { uuid latest { telemetryId memoryUsedMb } }
      telemetry(parentUuid: "GPU-0") { records { uuid migProfile } }
      hosts { gpuCount migInstances activeMigInstances }
      clusters { stats { gpuCount migInstances memoryUsedMb { sum gpuCount } } }
    }`),
  ).toEqual({
    gpu: {
      parentUuid: null,
      parent: null,
      instances: [
        { uuid: instance3, migInstanceId: "3", migProfile: "1g.10gb", parent: { uuid: "GPU-0" } },
        { uuid: instance4, migInstanceId: "4", migProfile: "2g.20gb", parent: { uuid: "GPU-0" } },
      ],
    },
    gpus: [
      { uuid: instance3, latest: { telemetryId: "host-1_0:mig:3:1g.10gb_1752871354", memoryUsedMb: 4100 } },
      { uuid: instance4, latest: { telemetryId: "host-1_0:mig:4:2g.20gb_1752871354", memoryUsedMb: 200 } },
    ],
    telemetry: {
      records: [
        { uuid: instance3, migProfile: "1g.10gb" },
        { uuid: instance4, migProfile: "2g.20gb" },
      ],
    },
    hosts: [{ gpuCount: 2, migInstances: 2, activeMigInstances: 2 }],
    clusters: [{ stats: { gpuCount: 2, migInstances: 2, memoryUsedMb: { sum: 5300, gpuCount: 3 } } }],
  });
});

test("over /ws, parent_uuid selects the instances, live and replayed, and an update says what its device is", async () => {
  const client = await LiveClient.open(gateway);
  const filters = { parent_uuid: "GPU-0" };
  expect(await client.ask({ type: "subscribe", filters })).toMatchObject({ type: "subscribed", gpus: 2 });
  const update = { type: "telemetry_update", timestamp: "2025-07-18T20:42:34Z", parent_uuid: "GPU-0" };
  const of3 = { ...update, gpu_uuid: instance3, mig_instance_id: "3", mig_profile: "1g.10gb" };
  const of4 = { ...update, gpu_uuid: instance4, mig_instance_id: "4", mig_profile: "2g.20gb" };
  expect(await client.take(2)).toEqual([
    { ...of3, data: { memory_used_mb: 4100 }, snapshot: true },
    { ...of4, data: { memory_used_mb: 200 }, snapshot: true },
  ]);
  const replay = { type: "subscribe", id: "r", filters, since: "2025-07-18T20:00:00Z" };
  expect(await client.ask(replay)).toMatchObject({ type: "subscribed" });
  expect(pick(await client.take(3), "gpu_uuid", "type", "count")).toEqual([
    [instance3, "telemetry_update", undefined],
    [instance4, "telemetry_update", undefined],
    [undefined, "replayed", 2],
  ]);
  client.close();
});

test("instances with a uuid of NVIDIA's have telemetry_ids and places of their own, and are not counted as GPUs", async () => {
  const known = await openDeviceGateway([
    { metric: power, value: "300" },
    { metric: used, value: "1", uuid: "MIG-6f1c" },
    { metric: used, value: "2", uuid: "MIG-7a2d" },
    { metric: used, value: "3", more: migLabels("3:1", "g") },
    { metric: used, value: "4", more: migLabels("3", "1:g") },
  ]);
  try {
    const uuids = ["GPU-0", "GPU-0:mig:3%3A1:g", "GPU-0:mig:3:1%3Ag", "MIG-6f1c", "MIG-7a2d"];
    for (const path of ["/api/v1/telemetry", "/api/v1/telemetry/latest"]) {
      expect(pick(await known.data(path), "uuid", "telemetry_id").sort()).toEqual([
        [uuids[0], "host-1_0_1752871354"],
        [uuids[1], "host-1_0:mig:3%3A1:g_1752871354"],
        [uuids[2], "host-1_0:mig:3:1%3Ag_1752871354"],
        [uuids[3], "host-1_0:MIG-6f1c_1752871354"],
        [uuids[4], "host-1_0:MIG-7a2d_1752871354"],
      ]);
    }
    const host = "/api/v1/clusters/local-cluster/hosts/host-1";
    expect(await known.data(`${host}/gpus/0`)).toMatchObject({ uuid: "GPU-0" });
    for (const uuid of ["MIG-6f1c", "MIG-7a2d"]) {
      expect(await known.data(`${host}/gpus/0:${uuid}`)).toMatchObject({ uuid, id: "0" });
    }
    expect(await known.data(`${host}/gpus/0:mig:3:1`)).toMatchObject({ uuid: uuids[1] });
    expect(await known.data(`${host}/gpus/0:MIG-none`)).toMatchObject({
      error: { code: "not_found", message: expect.stringContaining("MIG instance") as string },
    });
    expect(await known.data(host)).toMatchObject({ gpu_count: 1, mig_instances: 4 });
    expect(known.fleet.activity()).toBe("1 GPUs and 4 MIG instances in memory");
  } finally {
    await known.close();
  }
});
