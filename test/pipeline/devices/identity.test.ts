import { afterAll, expect, test } from "bun:test";
import { makeBatch } from "../../../dev/make-batch.ts";
import { migrateV1Beta1 } from "../../../src/domain/schema/migrate-v1beta1.ts";
import { validateBatch } from "../../../src/domain/schema/validate-batch.ts";
import { batchesOf, CsvFolder, openCsvSource, rejectedOf } from "../../support/csv-reading.ts";
import { recordsIn } from "../../support/merged-records.ts";
import { openTarget } from "../exposition/read-exposition.ts";
import { readRows, readText, rowTimeMs, valuesOf } from "./read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const nothing = ["N/A", "[N/A]", "Unknown", "unknown error", "[Unknown Error]", "none", "NULL", "-", "nan", "<none>"];
const more = ["unknown)", "N/A]", "[N/A", "(null)", "#N/A", "-nan(ind)", "-1.#IND", "N.A.", "not_available", "'None'"];
const ofTools = [
  "ERR!",
  "[ERR!]",
  "[GPU is lost]",
  "[Insufficient Permissions]",
  "#REF!",
  "#DIV/0!",
  "<NA>",
  "NaT",
  "***",
];
const zeroUuids = ["GPU-00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000", "0"];
const zeros = "00000000-0000-0000-0000-000000000000";
const moreUuids = [
  ...["GPU-", "GPU-N/A", "GPU-unknown", "MIG-none", "0x0", "0.0", "00", "0000-0000", "GPU-00000000"],
  ...[`{${zeros}}`, `MIG-GPU-${zeros}/1/0`, `urn:uuid:${zeros}`, `GPU-${zeros.replaceAll("-", "")}`],
  "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
];

test.each([...nothing, ...more, ...ofTools, ...zeroUuids, ...moreUuids])(
  "rows whose uuid is %p do not become one GPU, but are rejected",
  async (uuid) => {
    const { records, rejected } = await readRows(folder, [
      { uuid, host: "h8-a", gpu: "4" },
      { uuid, host: "h8-b", gpu: "9" },
      { uuid: "GPU-1" },
    ]);
    expect(records.map(({ gpu }) => gpu.uuid)).toEqual(["GPU-1"]);
    expect(rejected.map(({ line, reason, field, value }) => [line, reason, field, value])).toEqual([
      [2, "missing_field", "uuid", uuid],
      [3, "missing_field", "uuid", uuid],
    ]);
    expect(rejected[0]?.message).toMatch(/identifies nothing/);
  },
);

test.each([...nothing, ...more, ...ofTools, "0.0.0.0"])(
  "rows whose host is %p do not become one host, but are rejected",
  async (host) => {
    const { records, rejected } = await readRows(folder, [{ host }, { host: "unknown-1", uuid: "GPU-1" }]);
    expect(records.map(({ gpu }) => gpu.hostname)).toEqual(["unknown-1"]);
    expect(rejected).toMatchObject([{ reason: "missing_field", field: "Hostname", value: host }]);
  },
);

test("samples without an identity are rejected in messages of v1beta1 too", () => {
  const sample = { timestamp: "2025-07-18T20:42:34Z", metric_name: "temperature", gpu_id: 0, value: 1 };
  const { rejected, recordCount } = migrateV1Beta1({
    cluster_id: "c",
    samples: [
      { ...sample, uuid: "N/A", hostname: "h" },
      { ...sample, uuid: "GPU-1", hostname: "[N/A]" },
      { ...sample, uuid: "GPU-1", hostname: "h" },
    ],
  });
  expect(rejected.map(({ reason, field, byte }) => [reason, field, byte])).toEqual([
    ["missing_field", "uuid", 0],
    ["missing_field", "hostname", 1],
  ]);
  expect(recordCount).toBe(1);
});

test("the records of one uuid on two hosts at one instant are never merged; each value of one host is rejected", async () => {
  const rows = [0, 1].flatMap((second) =>
    [
      { host: "vm-a", value: "11" },
      { host: "vm-b", value: "99" },
    ].map((row) => ({ ...row, timestamp: `2025-07-18T20:42:3${second}Z` })),
  );
  for (const ordered of [rows, rows.toReversed()]) {
    const { records, rejected, tally } = await readRows(folder, ordered);
    expect(records.map((record) => [record.gpu.hostname, valuesOf(record)])).toEqual([
      ["vm-a", { gpu_utilization: 11 }],
      ["vm-a", { gpu_utilization: 11 }],
    ]);
    expect(rejected.map(({ reason, field, value }) => [reason, field, value])).toEqual([
      ["uuid_on_two_hosts", "Hostname", "vm-b"],
      ["uuid_on_two_hosts", "Hostname", "vm-b"],
    ]);
    expect(rejected.map(({ line }) => line)).toEqual(ordered === rows ? [3, 5] : [2, 4]);
    expect(rejected[0]?.message).toMatch(/"vm-a" and "vm-b"/);
    expect(JSON.parse(rejected[0]?.raw ?? "")).toMatchObject({ uuid: "GPU-0", hostname: "vm-b", gpu_utilization: 99 });
    expect(tally).toMatchObject({ rows: 4, samples: 2, duplicates: 0, conflicts: 0 });
  }
});

test("a row of a MIG instance and its GPU that is on two hosts is rejected once for each of the two", async () => {
  const header = "timestamp,gpu_id,uuid,hostname,temperature,memory_used_mb,GPU_I_ID,GPU_I_PROFILE";
  const rows = ["vm-b,30,1", "vm-a,31,2"].map((cells) => `2025-07-18T20:42:34Z,0,GPU-0,${cells},3,1g.10gb`);
  const batches = await batchesOf(await openCsvSource(folder.write(`${[header, ...rows].join("\n")}\n`)));
  const found = rejectedOf(batches).map(({ line, raw }) => [line, JSON.parse(raw) as unknown]);
  const row = { timestamp: "2025-07-18T20:42:34Z", hostname: "vm-b", gpu_id: 0 };
  expect(found).toEqual([
    [2, { ...row, uuid: "GPU-0", temperature: 30 }],
    [2, { ...row, uuid: "GPU-0:mig:3:1g.10gb", memory_used_mb: 1 }],
  ]);
});

test("a uuid on two hosts at different instants has moved, and is not rejected", async () => {
  const { rejected, records } = await readRows(folder, [
    { host: "vm-b" },
    { host: "vm-a", timestamp: "2025-07-18T20:42:35Z" },
  ]);
  expect(rejected).toEqual([]);
  expect(records).toHaveLength(2);
});

test("of three cloned hosts, one keeps its records, and each row of the others is rejected once", async () => {
  const mig = ',GPU_I_ID="3",GPU_I_PROFILE="1g.10gb"';
  const rows = (host: string, value: number) => [
    { host, value: String(value), metric: "DCGM_FI_DEV_FB_USED", more: mig, pod: `pod-${host}` },
    { host, value: String(value), metric: "DCGM_FI_DEV_GPU_TEMP", more: mig },
    { host, value: String(value), metric: "DCGM_FI_DEV_GPU_TEMP", more: mig },
    { host, value: String(value + 1), metric: "DCGM_FI_DEV_GPU_TEMP", more: mig },
    { host, value: String(value), metric: "DCGM_EXP_XID_ERRORS_COUNT", labels: 'xid="31"' },
  ];
  const { records, rejected, tally } = await readRows(folder, [
    ...rows("vm-b", 50),
    ...rows("vm-a", 40),
    ...rows("vm-c", 60),
  ]);
  expect(records.map((record) => [record.gpu.uuid, record.gpu.hostname, valuesOf(record), record.occupants])).toEqual([
    ["GPU-0", "vm-a", { temperature: 41, xid_errors: 40, 'xid_errors{xid="31"}': 40 }, []],
    ["GPU-0:mig:3:1g.10gb", "vm-a", { memory_used_mb: 40 }, ["/pod-vm-a/"]],
  ]);
  expect(rejected.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6, 12, 13, 14, 15, 16]);
  expect(tally).toMatchObject({ rows: 15, samples: 3, duplicates: 1, conflicts: 1 });
});

test("each rejected row of the other host has its own values, even if they conflict with those of another row", async () => {
  const more = ',xid="31"';
  const xid = { metric: "DCGM_EXP_XID_ERRORS_COUNT", more };
  const { rejected } = await readRows(folder, [
    { host: "vm-b", value: "40" },
    { host: "vm-b", value: "41" },
    { host: "vm-b", value: "39" },
    { host: "vm-b", value: "2", ...xid },
    { host: "vm-b", value: "1", ...xid },
    { host: "vm-a", value: "5" },
  ]);
  const found = rejected.map(({ raw }) => JSON.parse(raw) as Record<string, unknown>);
  expect(found.map((row) => row["gpu_utilization"] ?? row['xid_errors{xid="31"}'])).toEqual([40, 41, 39, 2, 1]);
});

test("a wide row of the other host is rejected once, with all its values", async () => {
  const { records, rejected } = await readText(
    folder,
    [
      "timestamp,gpu_id,uuid,host_name,temperature,power_draw,fan",
      "1752871354,0,GPU-0,b,50,300,7",
      "1752871354,0,GPU-0,a,40,200,8",
    ].join("\n"),
  );
  expect(records.map(valuesOf)).toEqual([{ temperature: 40, power_draw: 200, fan: 8 }]);
  expect(rejected.map(({ line, field }) => [line, field])).toEqual([[2, "host_name"]]);
  expect(JSON.parse(rejected[0]?.raw ?? "")).toMatchObject({ temperature: 50, power_draw: 300, fan: 7 });
});

const realNames = [
  "none-1",
  "unknown-1",
  "null01",
  "nan-host",
  "na-east-1",
  "error-1.example",
  "void",
  "name",
  "a",
  "1",
];

test("records of an older program whose GPU or parent has no identity are rejected", () => {
  const uuids = ["N/A", "N%2FA:mig:3:1g", `GPU-${zeros}:mig:3:1g`, "GPU-1:mig:3:1g", "GPU-1"];
  const batch = validateBatch(makeBatch(uuids.map((uuid) => ({ uuid, timeMs: rowTimeMs, metrics: { sm_active: 1 } }))));
  expect(recordsIn(batch).map(({ gpu }) => gpu.uuid)).toEqual(["GPU-1:mig:3:1g", "GPU-1"]);
  expect(batch.rejected.map(({ reason, field }) => [reason, field])).toEqual(Array(3).fill(["missing_field", "uuid"]));
});

test("names that only contain or resemble such texts are identities", async () => {
  const uuids = [...realNames, "GPU-0", "GPU-00", "gpu-none-1", "MIG-6f1c", "00000000-0000-0000-0000-000000000001"];
  const rows = [...uuids.map((uuid) => ({ uuid })), ...[...realNames, "0", "10.0.0.1"].map((host) => ({ host }))];
  const apart = rows.map((cells, index) => ({ timestamp: `2025-07-18T20:42:${10 + index}Z`, ...cells }));
  expect((await readRows(folder, apart)).rejected).toEqual([]);
});

test("an id of an instance that means that there is none gives the GPU's record, not that of an instance N/A", async () => {
  const ids = [
    "unknown)",
    "N/A]",
    "[N/A",
    "(null)",
    "#N/A",
    "none",
    "-",
    "-1",
    "4294967295",
    "4294967295.0",
    "2147483632",
  ];
  const { records } = await readRows(
    folder,
    ids.map((id, index) => ({
      metric: "DCGM_FI_DEV_FB_USED",
      timestamp: `2025-07-18T20:42:${10 + index}Z`,
      more: `,GPU_I_ID="${id}",GPU_I_PROFILE="${id}"`,
    })),
  );
  expect(records.map(({ gpu }) => gpu.uuid)).toEqual(ids.map(() => "GPU-0"));
  const real = ["0", "1", "13"].map((id) => ({
    metric: "DCGM_FI_DEV_FB_USED",
    more: `,GPU_I_ID="${id}",GPU_I_PROFILE=""`,
  }));
  expect((await readRows(folder, real)).records.map(({ gpu }) => gpu.uuid)).toEqual([
    "GPU-0:mig:0:",
    "GPU-0:mig:13:",
    "GPU-0:mig:1:",
  ]);
});

const spaces = [" ", "\u{A0}", "\u{2003}", "\u{202F}", "\u{3000}", "\t"];

test.each(spaces)("the space %p at an end of a uuid or host belongs to neither, in any input", async (space) => {
  const { records, rejected } = await readRows(folder, [{ uuid: `${space}GPU-1${space}`, host: `n1${space}` }]);
  expect(rejected).toEqual([]);
  const read = openTarget({ host: "n1" });
  const labels = `gpu="0",UUID="GPU-1${space}",Hostname="${space}n1"`;
  const scraped = read(`DCGM_FI_DEV_GPU_TEMP{${labels}} 45`);
  for (const { gpu } of [...records, ...scraped.records]) expect([gpu.uuid, gpu.hostname]).toEqual(["GPU-1", "n1"]);
  expect([records.length, scraped.records.length]).toEqual([1, 1]);
});

test.each(spaces.slice(1))("a uuid or a host with the space %p in it is rejected, in any input", async (space) => {
  const { records, rejected } = await readRows(folder, [
    { uuid: `GPU${space}1` },
    { host: `n${space}1`, uuid: "GPU-1" },
  ]);
  expect([records, rejected.map(({ reason }) => reason)]).toEqual([[], ["invalid_field", "invalid_field"]]);
  const read = openTarget({ host: "n1" });
  const scraped = read(`DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1",Hostname="n${space}1"} 45`);
  expect(scraped.rejections.map(({ reason }) => reason)).toEqual(["invalid_field"]);
});
