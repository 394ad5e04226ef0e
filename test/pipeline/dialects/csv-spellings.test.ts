import { afterAll, expect, test } from "bun:test";
import { CsvFolder } from "../../support/csv-reading.ts";
import { readRows, readText, valuesOf } from "../devices/read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const values = {
  ...{ gpu_utilization: 87, memory_used_mb: 19818, sm_clock_mhz: 1980, power_draw: 631.95, temperature: 59 },
  total_energy_mj: 9022652,
};
const names = {
  dcgm: [
    ...["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_POWER_USAGE"],
    ...["DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"],
  ],
  "dcgm-4.9": [
    ...["DCGM_FI_DEV_GPU_UTIL_RATIO", "DCGM_FI_DEV_FB_USED_BYTES", "DCGM_FI_DEV_SM_CLOCK_HERTZ"],
    ...["DCGM_FI_DEV_BOARD_POWER_WATTS", "DCGM_FI_DEV_GPU_TEMP_CELSIUS", "DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL"],
  ],
  nvidia_gpu_exporter: [
    ...["nvidia_smi_utilization_gpu_ratio", "nvidia_smi_memory_used_bytes", "nvidia_smi_clocks_current_sm_clock_hz"],
    ...["nvidia_smi_power_draw_watts", "nvidia_smi_temperature_gpu", "nvidia_smi_energy_joules_total"],
  ],
};
const old = ["87", "19818", "1980", "631.95", "59", "9022652"];
const inSiUnits = ["0.87", "20780679168", "1980000000", "631.95", "59", "9022.652"];
const texts = { dcgm: old, "dcgm-4.9": inSiUnits, nvidia_gpu_exporter: inSiUnits };
const dialects = ["dcgm", "dcgm-4.9", "nvidia_gpu_exporter"] as const;

test.each(dialects)("the columns of a wide CSV give the same record in the dialect %s", async (dialect) => {
  const header = ["timestamp", "gpu_id", "uuid", "hostname", ...names[dialect]].join(",");
  const row = ["1752871354", "0", "GPU-1", "h", ...texts[dialect]].join(",");
  const { records, rejected } = await readText(folder, [header, row, row.replace("GPU-1", "GPU-2")].join("\n"));
  expect(rejected).toEqual([]);
  expect(records.map(valuesOf)).toEqual([values, values]);
});

test.each(dialects)("the rows of a long CSV give the same record in the dialect %s", async (dialect) => {
  const rowsOf = (uuid: string) =>
    names[dialect].map((metric, index) => ({ metric, value: texts[dialect][index] ?? "", uuid }));
  // the fast lane reads what it has seen before
  const { records, rejected } = await readRows(folder, ["GPU-1", "GPU-2", "GPU-1", "GPU-2", "GPU-3"].flatMap(rowsOf));
  const { gpu_utilization, ...others } = values;
  const expected = dialect === "dcgm-4.9" ? others : { gpu_utilization, ...others };
  expect(records.map(valuesOf)).toEqual([expected, expected, expected]);
  // a row of the long form is alone: nothing in it decides the unit of the ratio
  expect(rejected.map(({ reason, value }) => [reason, value])).toEqual(
    Array.from({ length: dialect === "dcgm-4.9" ? 5 : 0 }, () => ["invalid_value", "0.87"]),
  );
});

test("a ratio whose unit no other column decides is quarantined, unless its value is the same in both units", async () => {
  const header = "timestamp,gpu_id,uuid,hostname,DCGM_FI_DEV_GPU_UTIL_RATIO,DCGM_FI_DEV_SM_CLOCK_HERTZ";
  const rows = ["0.87", "0", "87", "1"].map((text, index) => `1752871354,0,GPU-${index},h,${text},1980000000`);
  const { records, rejected } = await readText(folder, [header, ...rows].join("\n"));
  expect(records.map(valuesOf)).toEqual([
    { sm_clock_mhz: 1980 },
    { gpu_utilization: 0, sm_clock_mhz: 1980 },
    { gpu_utilization: 87, sm_clock_mhz: 1980 },
    { sm_clock_mhz: 1980 },
  ]);
  expect(rejected.map(({ value }) => value)).toEqual(["0.87", "1"]);
  expect(rejected[0]?.message).toContain("may be a percentage (DCGM 4.6) or a ratio (from DCGM 4.7)");
});

test("the header of nvidia-smi names units, which are those of our metrics", async () => {
  const header =
    "timestamp,gpu_id,uuid,hostname,utilization.gpu [%],memory.used [MiB],power.draw [W],clocks.current.sm [MHz]";
  const { records } = await readText(folder, `${header}\n2026/07/14 08:12:38.696,0,GPU-1,h,100,19818,631.95,1980`);
  expect(records.map(valuesOf)).toEqual([
    { gpu_utilization: 100, memory_used_mb: 19818, power_draw: 631.95, sm_clock_mhz: 1980 },
  ]);
});

test("a value that is out of range in our unit is rejected with both units in its reason", async () => {
  const { rejected } = await readRows(folder, [{ metric: "DCGM_FI_DEV_SM_CLOCK_HERTZ", value: "98000000000000" }]);
  expect(rejected.map(({ reason, message }) => [reason, message])).toEqual([
    [
      "value_out_of_range",
      'The value "98000000000000" of DCGM_FI_DEV_SM_CLOCK_HERTZ is 98000000 MHz, outside the range of sm_clock_mhz: 0 to 10000 MHz.',
    ],
  ]);
});

test("a file of a fleet that is being upgraded has older and newer names; each row has its values under either", async () => {
  const header =
    "timestamp,gpu_id,uuid,hostname,DCGM_FI_DEV_SM_CLOCK_HERTZ,DCGM_FI_DEV_GPU_UTIL_RATIO,DCGM_FI_DEV_SM_CLOCK,DCGM_FI_DEV_GPU_UTIL";
  const rows = ["1980000000,0.87,,", ",,1410,29", "1980000001,0.87,1980,87"];
  const lines = rows.map((cells, index) => `1752871354,0,GPU-${index},h,${cells}`);
  const { records, rejected, tally } = await readText(folder, [header, ...lines].join("\n"));
  expect(records.map(valuesOf)).toEqual([
    { sm_clock_mhz: 1980 },
    { sm_clock_mhz: 1410, gpu_utilization: 29 },
    // the older names have the lower ranks
    { sm_clock_mhz: 1980, gpu_utilization: 87 },
  ]);
  expect(rejected.map(({ value }) => value)).toEqual(["0.87"]);
  expect(tally).toMatchObject({ conflicts: 0, duplicates: 0 });
});

test("two columns with the same name are refused", async () => {
  const header = "timestamp,gpu_id,uuid,hostname,sm_clock_mhz,SM Clock MHz";
  await expect(readText(folder, `${header}\n1752871354,0,GPU-1,h,1980,1980`)).rejects.toThrow(
    'two columns with the same meaning: "sm_clock_mhz" (column 5) and "SM Clock MHz" (column 6)',
  );
});

test("AMD's clocks are told apart by their label", async () => {
  const clock = (type: string, index: string, value: string) => ({
    metric: "gpu_clock",
    value,
    more: `,clock_type="GPU_CLOCK_TYPE_${type}",clock_index="${index}"`,
  });
  const { records } = await readRows(folder, [
    clock("SYSTEM", "0", "1533"),
    clock("SYSTEM", "1", "1600"),
    clock("MEMORY", "8", "1292"),
    clock("VIDEO", "2", "900"),
  ]);
  expect(records.map(valuesOf)).toEqual([
    {
      sm_clock_mhz: 1600,
      memory_clock_mhz: 1292,
      'sm_clock_mhz{clock_index="0"}': 1533,
      'sm_clock_mhz{clock_index="1"}': 1600,
      'memory_clock_mhz{clock_index="8"}': 1292,
      'gpu_clock{clock_index="2",clock_type="GPU_CLOCK_TYPE_VIDEO"}': 900,
    },
  ]);
});
