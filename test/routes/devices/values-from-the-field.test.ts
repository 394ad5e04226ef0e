import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Cells, type DeviceGateway, migLabels, openDeviceGateway, pick } from "./device-gateway.ts";

// What exporters in the field send, from the file to the answers of the API. The answers must not depend on the order of the rows
// or on the size of the batches.

const at = (second: number): Cells => ({ timestamp: `2025-07-18T20:42:0${second}Z` });
const instant = (second: number): string => `2025-07-18T20:42:0${second}Z`;
const temperature = (value: number): Cells => ({ metric: "DCGM_FI_DEV_GPU_TEMP", value: String(value) });
const used = (value: number): Cells => ({ metric: "DCGM_FI_DEV_FB_USED", value: String(value) });

/** Rows of one GPU, one a second from second 0 on. */
function eachSecond(uuid: string, cells: readonly Cells[]): Cells[] {
  return cells.map((each, second) => ({ uuid, ...temperature(10 + second), ...at(second), ...each }));
}

const driver = (version: string, job: string): Cells => ({
  labels: `${version === "" ? "" : `DCGM_FI_DRIVER_VERSION="${version}",`}job="${job}"`,
});

const moves: readonly Cells[] = [
  ...eachSecond("GPU-moved", [{ host: "old" }, { host: "old" }, { host: "new" }, { host: "new" }]),
  ...eachSecond("GPU-back", [{ host: "home" }, { host: "away" }, { host: "home" }]),
  ...eachSecond("GPU-index", [{ gpu: "1" }, { gpu: "6" }, { gpu: "6" }]),
  ...eachSecond("GPU-driver", [driver("535", "a"), driver("550", "a"), driver("", "b")]),
];

const cut: readonly Cells[] = [
  { pod: "train-a", value: "4100", more: migLabels("3", "1g.5gb") },
  { pod: "train-b", value: "200", more: migLabels("4", "1g.5gb") },
  { pod: "", value: "3", more: migLabels("5", "2g.10gb") },
].flatMap(instanceRows);

/** Two rows of an instance: its memory, and the temperature of the GPU, which the exporter repeats. */
function instanceRows(cells: Cells): Cells[] {
  const named = { uuid: "GPU-cut", namespace: cells["pod"] === "" ? "" : "ml", ...cells };
  return [
    { ...named, metric: "DCGM_FI_DEV_FB_USED" },
    { ...named, ...temperature(55) },
  ];
}

/** Rows that only a label tells apart: metric, labels and value. */
const labelled: readonly Cells[] = (
  [
    ["DCGM_EXP_GPU_HEALTH_STATUS", 'health_watch="NVLINK"', "20"],
    ["DCGM_EXP_GPU_HEALTH_STATUS", 'health_watch="MEM",health_error_code="29"', "10"],
    ["DCGM_EXP_GPU_HEALTH_STATUS", 'health_watch="THERMAL"', "0"],
    ["DCGM_EXP_P2P_STATUS", 'peer_gpu="1",link_status="down"', "1"],
    ["DCGM_EXP_P2P_STATUS", 'peer_gpu="2",link_status="up"', "0"],
    ["DCGM_EXP_CLOCK_EVENTS_COUNT", 'clock_event="hw_thermal"', "7"],
    ["DCGM_EXP_CLOCK_EVENTS_COUNT", 'clock_event="sw_power_cap"', "0"],
    ["DCGM_EXP_XID_ERRORS_COUNT", 'xid="31"', "4"],
    ["DCGM_EXP_XID_ERRORS_COUNT", 'xid="45"', "1"],
    ["DCGM_EXP_XID_ERRORS_COUNT", 'xid="79"', "0"],
    ["DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", 'nvlink="0"', "2"],
    ["DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", 'nvlink="17"', "3"],
    ["DCGM_FI_DEV_NVLINK_TX_THROUGHPUT", 'nvlink="0"', "100"],
    ["DCGM_FI_DEV_NVLINK_TX_THROUGHPUT", 'nvlink="1"', "101"],
  ] as const
).map(([metric, labels, value]) => ({ uuid: "GPU-labels", metric, labels, value }));

const exporter = { pod: "dcgm-exporter-x7", namespace: "monitoring", container: "exporter" };
const workload = (pod: string, namespace: string) => ({ container: "main", pod, namespace });
const holders: readonly Cells[] = [
  { uuid: "GPU-sliced", ...workload("a", "ml") },
  { uuid: "GPU-sliced", ...workload("b", "web") },
  { uuid: "GPU-sliced", ...workload("c", "ml") },
  { uuid: "GPU-vgpu", labels: 'vgpu="x"', ...workload("vm-x", "ns-x") },
  { uuid: "GPU-vgpu", labels: 'vgpu="y"', ...workload("vm-y", "ns-y") },
  {
    ...{ uuid: "GPU-scraped", ...exporter },
    labels: 'exported_pod="train-0",exported_namespace="ml",exported_container="main"',
  },
];

const values: readonly Cells[] = (
  [
    ["DCGM_FI_DEV_POWER_USAGE", "255"],
    ["DCGM_FI_DEV_GPU_TEMP", "2147483632"],
    ["DCGM_FI_DEV_FB_USED", "140737488355328"],
    ["DCGM_FI_DEV_FB_FREE", "9223372036854775794"],
    ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "2147483632"],
    ["DCGM_FI_PROF_PCIE_TX_BYTES", "140737488355328"],
    ["fan_speed", "2147483635"],
    ["board_power", "140737488355331"],
    ["slots", "255"],
    ["board_energy_total", "2147483633"],
  ] as const
).map(([metric, value]) => ({ uuid: "GPU-values", metric, value }));

const oddNames = ["__proto__", "constructor", "hasOwnProperty"];
const odd = oddNames.map((metric, index) => ({ uuid: "GPU-odd", metric, value: String(index + 1) }));

const nameless: readonly Cells[] = ["N/A", "[N/A]", "Unknown", "GPU-00000000-0000-0000-0000-000000000000", ""].flatMap(
  (none) => [
    { uuid: none, host: "h8-a", ...used(4) },
    { uuid: "GPU-nowhere", host: none === "" ? "N/A" : none.replace(/^GPU-.*/, "[N/A]"), ...used(5) },
  ],
);

const cloned: readonly Cells[] = [0, 1].flatMap((second) =>
  (["vm-b", "vm-a", "vm-c"] as const).flatMap((host, index) => [
    { uuid: "GPU-clone", host, ...used(index), ...at(second) },
    { uuid: "GPU-clone", host, ...used(index), more: migLabels("1", "1g.5gb"), ...at(second) },
  ]),
);

const rows = [...moves, ...cut, ...labelled, ...holders, ...values, ...odd, ...nameless, ...cloned];

describe.each([
  ["in one batch", 1000, rows],
  ["in one batch, with the newest row first", 1000, rows.toReversed()],
  ["in batches of a row", 1, rows],
  ["in batches of a row, with the newest row first", 1, rows.toReversed()],
  ["in batches of seven rows, with the newest row first", 7, rows.toReversed()],
])("rows from the field %s", (_, batchRows, ordered) => {
  let gateway: DeviceGateway;
  beforeAll(async () => void (gateway = await openDeviceGateway(ordered, { batchRows })));
  afterAll(() => gateway.close());

  const historyOf = async (query: string, ...names: string[]) =>
    pick(await gateway.data(`/api/v1/telemetry?${query}`), ...names);
  const changesOf = async (uuid: string, ...names: string[]) =>
    pick(((await gateway.data(`/api/v1/gpus/${uuid}/changes`)) as { attributes: unknown }).attributes, ...names);
  /** The record of a GPU, which the history and the newest records must agree on. */
  const recordOf = async (uuid: string): Promise<Readonly<Record<string, unknown>>> => {
    const [newest] = (await gateway.data(`/api/v1/telemetry/latest?gpu_uuid=${uuid}`)) as [Record<string, unknown>];
    expect((await gateway.data(`/api/v1/telemetry?gpu_uuid=${uuid}`)) as unknown[]).toContainEqual(newest);
    return newest;
  };

  test("a GPU that moves has its earlier records on its old host, its later ones on its new host, and is there now", async () => {
    expect(await historyOf("hostname=old", "uuid", "temperature")).toEqual(
      [10, 11].map((value) => ["GPU-moved", value]),
    );
    expect(await historyOf("hostname=new", "uuid", "temperature")).toEqual(
      [12, 13].map((value) => ["GPU-moved", value]),
    );
    expect(await historyOf("hostname=home", "temperature")).toEqual([10, 12]);
    expect(await historyOf("hostname=away", "temperature")).toEqual([11]);
    expect(await changesOf("GPU-back", "from", "hostname")).toEqual([
      [instant(0), "home"],
      [instant(1), "away"],
      [instant(2), "home"],
    ]);
    const hosts = pick(await gateway.data("/api/v1/gpus"), "uuid", "hostname");
    expect(hosts).toContainEqual(["GPU-moved", "new"]);
    expect(hosts).toContainEqual(["GPU-back", "home"]);
    expect((await recordOf("GPU-moved"))["telemetry_id"]).toBe(`new_0_${Date.parse(instant(3)) / 1000}`);
  });

  test("a GPU that gets another index, driver or label has each from its own instant on; what later rows leave open stays", async () => {
    expect(await historyOf("gpu_uuid=GPU-index", "gpu_id", "device")).toEqual([
      ["1", "nvidia1"],
      ["6", "nvidia6"],
      ["6", "nvidia6"],
    ]);
    expect(await changesOf("GPU-driver", "from", "driver_version", "properties")).toEqual([
      [instant(0), "535", { job: "a" }],
      [instant(1), "550", { job: "a" }],
      [instant(2), "550", { job: "b" }],
    ]);
    expect(await gateway.data("/api/v1/gpus?gpu_uuid=GPU-driver")).toMatchObject([
      { driver_version: "550", properties: { job: "b" }, first_seen_at: instant(0), last_seen_at: instant(2) },
    ]);
  });

  test("three MIG instances of a GPU at one instant have each its own memory and pod; the temperature is the GPU's, once", async () => {
    const records = await gateway.data("/api/v1/telemetry?parent_uuid=GPU-cut");
    expect(pick(records, "mig_instance_id", "mig_profile", "memory_used_mb", "pod", "temperature")).toEqual([
      ["3", "1g.5gb", 4100, "train-a", undefined],
      ["4", "1g.5gb", 200, "train-b", undefined],
      ["5", "2g.10gb", 3, undefined, undefined],
    ]);
    expect(new Set(pick(records, "telemetry_id")).size).toBe(3);
    const board = await recordOf("GPU-cut");
    expect(board).toMatchObject({ temperature: 55 });
    expect(Object.keys(board).filter((name) => ["memory_used_mb", "pod", "parent_uuid"].includes(name))).toEqual([]);
  });

  test("a failed health watch, a lost link, XIDs and clock events are not hidden by the last row of their metric", async () => {
    const { custom, ...record } = await recordOf("GPU-labels");
    expect(record).toMatchObject({ gpu_health_status: 20, p2p_status: 1, clock_events: 7, xid_errors: 5 });
    expect(record).toMatchObject({ nvlink_recovery_error_total: 5 });
    expect(custom).toEqual({
      'gpu_health_status{health_watch="NVLINK"}': 20,
      'gpu_health_status{health_error_code="29",health_watch="MEM"}': 10,
      'gpu_health_status{health_watch="THERMAL"}': 0,
      'p2p_status{link_status="down",peer_gpu="1"}': 1,
      'p2p_status{link_status="up",peer_gpu="2"}': 0,
      'clock_events{clock_event="hw_thermal"}': 7,
      'clock_events{clock_event="sw_power_cap"}': 0,
      'xid_errors{xid="31"}': 4,
      'xid_errors{xid="45"}': 1,
      'xid_errors{xid="79"}': 0,
      'nvlink_recovery_error_total{nvlink="0"}': 2,
      'nvlink_recovery_error_total{nvlink="17"}': 3,
      'DCGM_FI_DEV_NVLINK_TX_THROUGHPUT{nvlink="0"}': 100,
      'DCGM_FI_DEV_NVLINK_TX_THROUGHPUT{nvlink="1"}': 101,
    });
  });

  test("all pods that share a GPU hold it, by time slicing or as virtual GPUs; the exporter's own pod does not", async () => {
    const sliced = [workload("a", "ml"), workload("c", "ml"), workload("b", "web")];
    expect(await recordOf("GPU-sliced")).toMatchObject({ ...sliced[0], occupants: sliced, gpu_utilization: 42 });
    const virtual = [workload("vm-x", "ns-x"), workload("vm-y", "ns-y")];
    expect(await recordOf("GPU-vgpu")).toMatchObject({ occupants: virtual, gpu_utilization: 42 });
    const scraped = await recordOf("GPU-scraped");
    expect([scraped, "occupants" in scraped]).toMatchObject([workload("train-0", "ml"), false]);
    for (const [uuid, occupants] of [
      ["GPU-sliced", sliced],
      ["GPU-vgpu", virtual],
    ] as const) {
      const changes = await gateway.data(`/api/v1/gpus/${uuid}/changes`);
      expect(changes).toMatchObject({ workloads: [{ ...occupants[0], occupants }] });
    }
    const held = {
      ml: ["GPU-cut:mig:3:1g.5gb", "GPU-cut:mig:4:1g.5gb", "GPU-scraped", "GPU-sliced"],
      ...{ web: ["GPU-sliced"], "ns-x": ["GPU-vgpu"], "ns-y": ["GPU-vgpu"], monitoring: [] },
    };
    for (const [namespace, uuids] of Object.entries(held)) {
      const found = await historyOf(`namespace=${namespace}`, "uuid");
      expect([namespace, found.sort()]).toEqual([namespace, uuids]);
    }
  });

  test("a blank is no value, of a custom metric neither; 255 W and a counter that passes through a blank are values", async () => {
    const { custom, ...record } = await recordOf("GPU-values");
    expect(record).toMatchObject({ power_draw: 255, total_energy_mj: 2147483632, pcie_tx_bytes: 140737488355328 });
    for (const name of ["temperature", "memory_used_mb", "memory_free_mb"]) expect(record).not.toHaveProperty(name);
    expect(custom).toEqual({ slots: 255, board_energy_total: 2147483633 });
  });

  test("metrics with the names of an object's own fields are values like others", async () => {
    const { custom } = await recordOf("GPU-odd");
    expect(Object.entries(custom as object).sort()).toEqual([
      ["__proto__", 1],
      ["constructor", 2],
      ["hasOwnProperty", 3],
    ]);
  });

  test("rows without a uuid or a host do not become a GPU or a host, but are in quarantine", async () => {
    const uuids = pick(await gateway.data("/api/v1/gpus"), "uuid") as string[];
    expect(uuids.filter((uuid) => /n\/a|unknown|nowhere|0000|^$/i.test(uuid))).toEqual([]);
    const hosts = pick(await gateway.data("/api/v1/hosts"), "hostname") as string[];
    expect(hosts.filter((host) => /n\/a|unknown|h8-a|^$/i.test(host))).toEqual([]);
    const rejections = await gateway.data("/api/v1/quarantine?limit=1000");
    const fields = (pick(rejections, "reason", "field") as string[][]).filter(([reason]) => reason === "missing_field");
    const counts = Map.groupBy(fields, ([, field]) => field);
    expect([...counts].map(([field, { length }]) => [field, length]).sort()).toEqual([
      ["Hostname", 5],
      ["uuid", 5],
    ]);
  });

  test("one uuid on three hosts at one instant keeps the records of one; the values of the others are in quarantine", async () => {
    for (const selected of ["gpu_uuid=GPU-clone", "parent_uuid=GPU-clone"]) {
      expect(await historyOf(selected, "hostname", "memory_used_mb")).toEqual([
        ["vm-a", 1],
        ["vm-a", 1],
      ]);
    }
    expect(await historyOf("hostname=vm-b", "uuid")).toEqual([]);
    expect(await recordOf("GPU-clone")).toMatchObject({ hostname: "vm-a", memory_used_mb: 1, timestamp: instant(1) });
    expect(pick(await gateway.data("/api/v1/gpus?gpu_uuid=GPU-clone"), "hostname")).toEqual(["vm-a"]);
    const hosts = pick(await gateway.data("/api/v1/hosts"), "hostname") as string[];
    expect(hosts.filter((host) => host.startsWith("vm-"))).toEqual(["vm-a"]);
    const rejections = (await gateway.data("/api/v1/quarantine?limit=1000")) as {
      readonly reason: string;
      readonly value: string;
      readonly raw: string;
    }[];
    const others = rejections.filter(({ reason }) => reason === "uuid_on_two_hosts");
    const found = others.map(({ value, raw }) => [
      value,
      (JSON.parse(raw) as Record<string, unknown>)["memory_used_mb"],
    ]);
    expect([...new Set(found.map(String))].sort()).toEqual(["vm-b,0", "vm-c,2"]);
    expect(found).toHaveLength(8);
  });
});
