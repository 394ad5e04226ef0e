import { afterAll, expect, test } from "bun:test";
import { CsvFolder } from "../../support/csv-reading.ts";
import { readRows, readText, valuesOf } from "./read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const xids = (...codes: readonly [xid: string, value: string][]) =>
  codes.map(([xid, value]) => ({
    metric: "DCGM_EXP_XID_ERRORS_COUNT",
    value,
    labels: `window_size_in_ms="300000",xid="${xid}"`,
  }));

test("XID errors are kept by code, and their plain count is the sum, whatever the order of the rows", async () => {
  const rows = xids(["31", "4"], ["45", "1"], ["79", "0"]);
  for (const ordered of [rows, rows.toReversed()]) {
    const { records, tally } = await readRows(folder, ordered);
    expect(records.map(valuesOf)).toEqual([
      {
        xid_errors: 5,
        'xid_errors{window_size_in_ms="300000",xid="31"}': 4,
        'xid_errors{window_size_in_ms="300000",xid="45"}': 1,
        'xid_errors{window_size_in_ms="300000",xid="79"}': 0,
      },
    ]);
    expect(tally).toMatchObject({ rows: 3, samples: 3, duplicates: 0, conflicts: 0 });
  }
});

test("a GPU with one failed health watch reads unhealthy, and says which watch failed", async () => {
  const watches = [
    ["NVLINK", "20"],
    ["MEM", "10"],
    ["THERMAL", "0"],
  ] as const;
  const { records } = await readRows(
    folder,
    watches.map(([watch, value]) => ({
      metric: "DCGM_EXP_GPU_HEALTH_STATUS",
      value,
      labels: `health_watch="${watch}",health_error_code="E"`,
    })),
  );
  expect(valuesOf(records[0])).toEqual({
    gpu_health_status: 20,
    ...Object.fromEntries(
      watches.map(([watch, value]) => [
        `gpu_health_status{health_error_code="E",health_watch="${watch}"}`,
        Number(value),
      ]),
    ),
  });
});

test("the throughput of each NVLink is kept: of a metric outside the catalogue without, of one in it with a sum", async () => {
  const links = ["0", "1", "2"];
  const { records } = await readRows(folder, [
    ...links.map((nvlink) => ({
      metric: "DCGM_FI_DEV_NVLINK_TX_THROUGHPUT",
      value: `10${nvlink}`,
      labels: `nvlink="${nvlink}"`,
    })),
    ...links.map((nvlink) => ({
      metric: "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL",
      value: nvlink,
      labels: `NVLINK="${nvlink}"`,
    })),
  ]);
  expect(valuesOf(records[0])).toEqual({
    'DCGM_FI_DEV_NVLINK_TX_THROUGHPUT{nvlink="0"}': 100,
    'DCGM_FI_DEV_NVLINK_TX_THROUGHPUT{nvlink="1"}': 101,
    'DCGM_FI_DEV_NVLINK_TX_THROUGHPUT{nvlink="2"}': 102,
    'nvlink_replay_error_total{nvlink="0"}': 0,
    'nvlink_replay_error_total{nvlink="1"}': 1,
    'nvlink_replay_error_total{nvlink="2"}': 2,
    nvlink_replay_error_total: 3,
  });
});

test("values that virtual GPUs repeat are not summed, and metrics of the board have no series by virtual GPU", async () => {
  const shared = (vgpu: string, metric: string, value: string, more = "") => ({
    metric,
    value,
    pod: `pod-${vgpu}`,
    labels: `vgpu="${vgpu}"${more}`,
  });
  const { records, tally } = await readRows(folder, [
    shared("x", "DCGM_FI_DEV_GPU_UTIL", "66"),
    shared("y", "DCGM_FI_DEV_GPU_UTIL", "66"),
    shared("x", "DCGM_FI_DEV_POWER_USAGE", "300"),
    shared("y", "DCGM_FI_DEV_POWER_USAGE", "300"),
    shared("x", "DCGM_EXP_XID_ERRORS_COUNT", "2", ',xid="31"'),
    shared("y", "DCGM_EXP_XID_ERRORS_COUNT", "2", ',xid="31"'),
  ]);
  expect(valuesOf(records[0])).toEqual({
    gpu_utilization: 66,
    'gpu_utilization{vgpu="x"}': 66,
    'gpu_utilization{vgpu="y"}': 66,
    power_draw: 300,
    xid_errors: 2,
    'xid_errors{xid="31"}': 2,
  });
  expect(records[0]?.occupants).toEqual(["/pod-x/", "/pod-y/"]);
  expect(tally).toMatchObject({ rows: 6, samples: 4, duplicates: 2, conflicts: 0 });
});

test("labels that vary with the value tell no series apart, and are no properties", async () => {
  const { records } = await readRows(folder, [
    { metric: "DCGM_FI_DEV_XID_ERRORS", value: "31", more: ',err_code="31",err_msg="MMU"' },
    {
      metric: "DCGM_FI_DEV_XID_ERRORS",
      value: "79",
      more: ',err_code="79",err_msg="bus"',
      timestamp: "2025-07-18T20:42:35Z",
    },
  ]);
  expect(records.map(valuesOf)).toEqual([{ xid_error: 31 }, { xid_error: 79 }]);
  expect(records.map(({ gpu }) => gpu.properties)).toEqual([
    { instance: "host-1:9400", job: "dcgm" },
    { instance: "host-1:9400", job: "dcgm" },
  ]);
});

test("series labels are not properties, and empty series labels are ignored", async () => {
  const { records } = await readRows(folder, [
    { more: ',vgpu="",nvlink=""' },
    { metric: "DCGM_EXP_P2P_STATUS", value: "1", more: ',peer_gpu="3",link_status="down"' },
  ]);
  expect(valuesOf(records[0])).toEqual({
    gpu_utilization: 42,
    p2p_status: 1,
    'p2p_status{link_status="down",peer_gpu="3"}': 1,
  });
  expect(records[0]?.gpu.properties).toEqual({ instance: "host-1:9400", job: "dcgm" });
});

test("columns tell series apart, too; in a wide file, a column applies only to the metrics that it is about", async () => {
  const long = [
    "timestamp,metric_name,gpu_id,uuid,hostname,xid,value",
    "2025-07-18T20:42:34Z,xid_errors,0,GPU-0,h,31,4",
    "2025-07-18T20:42:34Z,xid_errors,0,GPU-0,h,45,1",
    "2025-07-18T20:42:34Z,temperature,0,GPU-0,h,,40",
  ];
  const wide = [
    "timestamp,gpu_id,uuid,hostname,xid,xid_errors,temperature",
    "2025-07-18T20:42:34Z,0,GPU-0,h,31,4,40",
    "2025-07-18T20:42:34Z,0,GPU-0,h,45,1,40",
  ];
  for (const lines of [long, wide]) {
    const { records } = await readText(folder, lines.join("\n"));
    expect(records.map(valuesOf)).toEqual([
      { temperature: 40, xid_errors: 5, 'xid_errors{xid="31"}': 4, 'xid_errors{xid="45"}': 1 },
    ]);
  }
});

test("in a wide file without a metric about XIDs, a column xid is a metric itself", async () => {
  const { records } = await readText(
    folder,
    "timestamp,gpu_id,uuid,hostname,temperature,xid\n1752871354,0,GPU-0,h,40,79\n",
  );
  expect(records.map(valuesOf)).toEqual([{ temperature: 40, xid: 79 }]);
});

test("the name of a series may be the name of the metric, as in our own exports", async () => {
  const { records } = await readRows(folder, [
    { metric: 'xid_errors{xid="31"}', value: "4" },
    { metric: 'DCGM_EXP_XID_ERRORS_COUNT{xid="45"}', value: "1" },
    { metric: "not a {series}", value: "7" },
  ]);
  expect(valuesOf(records[0])).toEqual({
    xid_errors: 5,
    'xid_errors{xid="31"}': 4,
    'xid_errors{xid="45"}': 1,
    "not a {series}": 7,
  });
});

test("a plain value beside series is kept if it is greater, and a fold is never outside the metric's range", async () => {
  const max = String(Number.MAX_SAFE_INTEGER);
  const { records } = await readRows(folder, [
    ...xids(["31", max], ["45", max]),
    { metric: "DCGM_EXP_CLOCK_EVENTS_COUNT", value: "9" },
    { metric: "DCGM_EXP_CLOCK_EVENTS_COUNT", value: "7", labels: 'clock_event="hw_thermal"' },
  ]);
  expect(valuesOf(records[0])).toMatchObject({ xid_errors: Number.MAX_SAFE_INTEGER, clock_events: 9 });
});

const health = "DCGM_EXP_GPU_HEALTH_STATUS";

test("two series whose labels differ after 256 characters do not become one", async () => {
  const watch = (end: string): string => `${"w".repeat(400)}${end}`;
  const cells = (end: string, value: string) => ({ metric: health, value, labels: `health_watch="${watch(end)}"` });
  const { records, tally } = await readRows(folder, [cells("a", "10"), cells("b", "20")]);
  expect(valuesOf(records[0])).toEqual({
    gpu_health_status: 20,
    [`gpu_health_status{health_watch="${watch("a")}"}`]: 10,
    [`gpu_health_status{health_watch="${watch("b")}"}`]: 20,
  });
  expect(tally).toMatchObject({ samples: 2, duplicates: 0, conflicts: 0 });
});

test("a series whose name is too long is rejected with its reason, and other values are kept", async () => {
  const label = `health_watch="${"w".repeat(1000)}"`;
  const { records, rejected } = await readRows(folder, [
    { metric: health, value: "20", labels: label },
    { metric: health, value: "N/A", labels: label },
    { metric: health, value: "10", labels: 'health_watch="MEM"' },
  ]);
  expect(rejected).toMatchObject([{ line: 2, reason: "invalid_field", field: "value" }]);
  expect(rejected[0]?.message).toMatch(/has a name of 1034 characters, with its labels; at most 1024 are allowed/);
  expect(valuesOf(records[0])).toEqual({ gpu_health_status: 10, 'gpu_health_status{health_watch="MEM"}': 10 });
  const wide = await readText(
    folder,
    [
      "timestamp,gpu_id,uuid,hostname,temperature,gpu_health_status,health_watch",
      `2025-07-18T20:42:34Z,0,GPU-0,h,40,20,${"w".repeat(1000)}`,
    ].join("\n"),
  );
  expect(wide.records.map(valuesOf)).toEqual([{ temperature: 40 }]);
  expect(wide.rejected).toMatchObject([{ reason: "invalid_field", field: "gpu_health_status" }]);
});

test("a label of a series or an instance counts however many labels, and however long a text, precede it", async () => {
  const many = Array.from({ length: 200 }, (_, index) => `l${index}="x"`).join(",");
  const long = `note="${"z".repeat(70_000)}"`;
  for (const before of [many, long]) {
    const { records } = await readRows(folder, [
      { metric: "DCGM_EXP_XID_ERRORS_COUNT", value: "4", labels: `${before},xid="31"` },
      { metric: "DCGM_FI_DEV_FB_USED", value: "5", labels: `${before},GPU_I_ID="3",GPU_I_PROFILE="1g"` },
    ]);
    expect(records.map((record) => [record.gpu.uuid, valuesOf(record)])).toEqual([
      ["GPU-0", { xid_errors: 4, 'xid_errors{xid="31"}': 4 }],
      ["GPU-0:mig:3:1g", { memory_used_mb: 5 }],
    ]);
  }
});

test("a label of a GPU that is too long shows that it was cut", async () => {
  const { records } = await readRows(folder, [{ labels: `rack="${"r".repeat(300)}",${"n".repeat(300)}="x",row="7"` }]);
  expect(records[0]?.gpu.properties).toEqual({ rack: `${"r".repeat(253)}...`, row: "7" });
});

test("errors that two windows count are counted once, in any order of the rows", async () => {
  const cells = (window: string, xid: string, value: string) => ({
    metric: "DCGM_EXP_XID_ERRORS_COUNT",
    value,
    labels: `window_size_in_ms="${window}",xid="${xid}"`,
  });
  const rows = [
    cells("300000", "31", "4"),
    cells("600000", "31", "5"),
    cells("300000", "45", "1"),
    cells("600000", "45", "1"),
    cells("600000", "79", "2"),
  ];
  for (const ordered of [rows, rows.toReversed()]) {
    expect(valuesOf((await readRows(folder, ordered)).records[0])).toMatchObject({ xid_errors: 8 });
  }
  const clock = ["300000", "600000"].map((window, index) => ({
    metric: "DCGM_EXP_CLOCK_EVENTS_COUNT",
    value: String(3 + index),
    labels: `window_size_in_ms="${window}",clock_event="hw_thermal"`,
  }));
  expect(valuesOf((await readRows(folder, clock)).records[0])).toMatchObject({ clock_events: 4 });
});

test("a wide column named after a series of the catalogue is that series, by either name of the metric", async () => {
  const { records, rejected, unreadColumns } = await readText(
    folder,
    [
      'timestamp,gpu_id,uuid,hostname,temperature,"DCGM_EXP_XID_ERRORS_COUNT{xid=""31""}","{""odd}name"",nvlink=""0""}","a,b"',
      "2025-07-18T20:42:34Z,0,GPU-0,h,40,4,7,8",
      "2025-07-18T20:42:35Z,0,GPU-0,h,40,-1,,x",
    ].join("\n"),
  );
  expect(records.map(valuesOf)).toEqual([
    { temperature: 40, xid_errors: 4, 'xid_errors{xid="31"}': 4, '{"odd}name",nvlink="0"}': 7, "a,b": 8 },
    { temperature: 40 },
  ]);
  expect(rejected).toMatchObject([{ reason: "value_out_of_range", value: "-1" }]);
  expect(unreadColumns).toEqual(["a,b"]);
});
