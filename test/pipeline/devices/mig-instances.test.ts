import { afterAll, expect, test } from "bun:test";
import { CsvFolder, exporterHeader } from "../../support/csv-reading.ts";
import { readRows, readText, valuesOf } from "./read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const mig = (id: string, profile: string): string => `,GPU_I_ID="${id}",GPU_I_PROFILE="${profile}"`;
const active = "DCGM_FI_PROF_GR_ENGINE_ACTIVE";
const used = "DCGM_FI_DEV_FB_USED";

test("the values and pods of MIG instances that share a GPU's UUID are not mixed", async () => {
  const { records, tally } = await readRows(folder, [
    { metric: active, value: "0.91", more: mig("3", "1g.5gb"), pod: "train-a", namespace: "ml" },
    { metric: used, value: "4100", more: mig("3", "1g.5gb"), pod: "train-a", namespace: "ml" },
    { metric: active, value: "0.10", more: mig("4", "1g.5gb"), pod: "train-b", namespace: "ml" },
    { metric: used, value: "200", more: mig("4", "1g.5gb"), pod: "train-b", namespace: "ml" },
    { metric: active, value: "0.00", more: mig("5", "2g.10gb") },
    { metric: used, value: "3", more: mig("5", "2g.10gb") },
  ]);
  expect(records.map((record) => [record.gpu.uuid, valuesOf(record), record.occupants])).toEqual([
    ["GPU-0:mig:3:1g.5gb", { gr_engine_active: 0.91, memory_used_mb: 4100 }, ["ml/train-a/"]],
    ["GPU-0:mig:4:1g.5gb", { gr_engine_active: 0.1, memory_used_mb: 200 }, ["ml/train-b/"]],
    ["GPU-0:mig:5:2g.10gb", { gr_engine_active: 0, memory_used_mb: 3 }, []],
  ]);
  expect(tally).toMatchObject({ rows: 6, samples: 6, duplicates: 0, conflicts: 0 });
});

test("the board's power and temperature, repeated for each instance, are the GPU's, without an instance's pod", async () => {
  const rows = ["1", "2", "3"].flatMap((id) => [
    { metric: "DCGM_FI_DEV_POWER_USAGE", value: "300.5", more: mig(id, "1g.10gb"), pod: `pod-${id}` },
    { metric: "DCGM_FI_DEV_GPU_TEMP", value: "60", more: mig(id, "1g.10gb"), pod: `pod-${id}` },
    { metric: used, value: id, more: mig(id, "1g.10gb"), pod: `pod-${id}` },
  ]);
  const { records, tally } = await readRows(folder, rows);
  expect(records.map(({ gpu }) => gpu.uuid)).toEqual([
    "GPU-0",
    ...["1", "2", "3"].map((id) => `GPU-0:mig:${id}:1g.10gb`),
  ]);
  expect([valuesOf(records[0]), records[0]?.occupants]).toEqual([{ power_draw: 300.5, temperature: 60 }, []]);
  expect([valuesOf(records[2]), records[2]?.occupants]).toEqual([{ memory_used_mb: 2 }, ["/pod-2/"]]);
  expect(tally).toMatchObject({ samples: 5, duplicates: 4, conflicts: 0 });
});

test("an instance that was cut again with another profile is another device, and its labels are no properties", async () => {
  const { records } = await readRows(folder, [
    { metric: used, value: "1", more: mig("3", "1g.10gb") },
    { metric: used, value: "2", more: mig("3", "2g.20gb") },
  ]);
  expect(records.map(({ gpu }) => gpu.uuid)).toEqual(["GPU-0:mig:3:1g.10gb", "GPU-0:mig:3:2g.20gb"]);
  expect(records[0]?.gpu.properties).toEqual({ instance: "host-1:9400", job: "dcgm" });
});

test("a metric outside the catalogue stays with the instance that reports it", async () => {
  const { records } = await readRows(folder, [{ metric: "my_metric", value: "7", more: mig("3", "1g.10gb") }]);
  expect(records.map((record) => [record.gpu.uuid, valuesOf(record)])).toEqual([
    ["GPU-0:mig:3:1g.10gb", { my_metric: 7 }],
  ]);
});

test("an empty, absent or N/A GPU_I_ID means the GPU itself; labels may be in lower case, and the profile may be absent", async () => {
  const { records } = await readRows(folder, [
    { metric: used, value: "1", uuid: "GPU-1", more: mig("", "") },
    { metric: used, value: "2", uuid: "GPU-2", more: ',GPU_I_PROFILE="1g.10gb"' },
    { metric: used, value: "3", uuid: "GPU-3", more: mig("N/A", "N/A") },
    { metric: used, value: "4", uuid: "GPU-4", more: ',gpu_i_id="7"' },
  ]);
  expect(records.map((record) => [record.gpu.uuid, valuesOf(record)["memory_used_mb"]])).toEqual([
    ["GPU-1", 1],
    ["GPU-2", 2],
    ["GPU-3", 3],
    ["GPU-4:mig:7:", 4],
  ]);
});

test("MIG instances named in columns are kept apart, in a long and in a wide file, even if a tool wrote the id as 3.0", async () => {
  const long = [
    "timestamp,metric_name,gpu_id,uuid,hostname,GPU_I_ID,GPU_I_PROFILE,value",
    "2025-07-18T20:42:34Z,memory_used_mb,0,GPU-0,h,3.0,1g.10gb,5",
    "2025-07-18T20:42:34Z,memory_used_mb,0,GPU-0,h,4.0,1g.10gb,6",
    "2025-07-18T20:42:34Z,memory_used_mb,0,GPU-0,h,,,11",
  ];
  const wide = [
    "timestamp,gpu_id,uuid,hostname,gpu_i_id,gpu_i_profile,memory_used_mb,power_draw",
    "2025-07-18T20:42:34Z,0,GPU-0,h,3.0,1g.10gb,5,300",
    "2025-07-18T20:42:34Z,0,GPU-0,h,4.0,1g.10gb,6,300",
    "2025-07-18T20:42:34Z,0,GPU-0,h,N/A,,11,300",
  ];
  for (const [lines, board] of [
    [long, { memory_used_mb: 11 }],
    [wide, { memory_used_mb: 11, power_draw: 300 }],
  ] as const) {
    const { records } = await readText(folder, lines.join("\n"));
    expect(records.map((record) => [record.gpu.uuid, valuesOf(record)])).toEqual([
      ["GPU-0", board],
      ["GPU-0:mig:3:1g.10gb", { memory_used_mb: 5 }],
      ["GPU-0:mig:4:1g.10gb", { memory_used_mb: 6 }],
    ]);
  }
});

test("a device with a UUID of NVIDIA's for MIG stays a device of its own, and has the id and profile as properties", async () => {
  const { records } = await readRows(folder, [
    { metric: "DCGM_FI_DEV_POWER_USAGE", value: "9", uuid: "MIG-6f1c", more: mig("3", "1g.10gb") },
  ]);
  expect(records.map((record) => [record.gpu.uuid, valuesOf(record)])).toEqual([["MIG-6f1c", { power_draw: 9 }]]);
  expect(records[0]?.gpu.properties).toMatchObject({ GPU_I_ID: "3", GPU_I_PROFILE: "1g.10gb" });
});

test("what describes an instance or its pod is no property of the GPU", async () => {
  const more = `${mig("3", "1g.10gb")},pod_uid="u-1",dra_mig_profile="1g",rack="r1"`;
  const { records } = await readRows(folder, [
    { metric: "DCGM_FI_DEV_GPU_TEMP", value: "50", more },
    { metric: used, value: "1", more },
  ]);
  const usual = { instance: "host-1:9400", job: "dcgm", rack: "r1" };
  expect(records.map(({ gpu }) => gpu.properties)).toEqual([
    usual,
    { ...usual, dra_mig_profile: "1g", pod_uid: "u-1" },
  ] as never);
});

test("ids and profiles with unusual characters give different uuids; ids and profiles that are too long are rejected", async () => {
  const { records, rejected } = await readRows(folder, [
    { metric: used, value: "1", more: mig("3:1", "g") },
    { metric: used, value: "2", more: mig("3", "1:g") },
    { metric: used, value: "3", more: mig("x".repeat(250), "g") },
  ]);
  expect(records.map(({ gpu }) => gpu.uuid)).toEqual(["GPU-0:mig:3%3A1:g", "GPU-0:mig:3:1%3Ag"]);
  expect(rejected).toMatchObject([{ line: 4, reason: "invalid_field", field: "uuid" }]);
});

test("a file whose header is not the exporter's reads instances from its labels", async () => {
  const header = exporterHeader.replace(",container,pod,namespace", "");
  const labels = '"GPU_I_ID=""3"",GPU_I_PROFILE=""1g.10gb"",pod=""p"",namespace=""n"""';
  const row = `2025-07-18T20:42:34Z,memory_used_mb,0,nvidia0,GPU-0,H100,h,5,${labels}`;
  const { records } = await readText(folder, `${header}\n${row}\n`);
  expect(records.map(({ gpu, occupants }) => [gpu.uuid, occupants])).toEqual([["GPU-0:mig:3:1g.10gb", ["n/p/"]]]);
});
