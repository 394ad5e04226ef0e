import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { CsvFolder, openCsvSource } from "../../support/csv-reading.ts";
import { type MergedRecord, recordsIn } from "../../support/merged-records.ts";
import { sharedData } from "../../support/shared-data.ts";
import { valuesOf } from "../devices/read-rows.ts";
import { readXml, smiXml, uuidOf } from "./smi-xml.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

async function read(text: string, { hostname }: { hostname: string | undefined } = { hostname: "box" }) {
  const warnings: string[] = [];
  const path = folder.write(text, "query.csv");
  const source = await openCsvSource(path, { hostname, onWarning: (message) => void warnings.push(message) });
  const batches = await Array.fromAsync(source.read(source.whole, new AbortController().signal));
  const records: MergedRecord[] = batches.flatMap(({ batch }) => recordsIn(batch));
  return { records, rejected: batches.flatMap(({ batch }) => batch.rejected), warnings, path };
}

const header =
  "timestamp, index, uuid, name, pci.bus_id, serial, memory.used [MiB], utilization.gpu [%], power.draw [W], clocks.current.sm [MHz], temperature.gpu, fan.speed [%], clocks_event_reasons.active, remapped_rows.failure, retired_pages.pending, pstate";
const row = `2026/07/14 08:12:38.696, 3, ${uuidOf(1)}, NVIDIA H100 80GB HBM3, 00000000:01:00.0, 1650522003820, 815 MiB, 87 %, 98.14 W, 1980 MHz, 45, 38 %, 0x0000000000000044, No, Yes, P2`;
const values = {
  ...{ memory_used_mb: 815, gpu_utilization: 87, power_draw: 98.14, sm_clock_mhz: 1980, temperature: 45 },
  ...{ clock_event_reasons: 0x44, row_remap_failure: 0, retired_pages_pending: 1, "fan.speed": 38 },
};

test("a table of nvidia-smi --query-gpu is read with its units, in cells or only in the header", async () => {
  const withoutUnits = row.replace(/ (?:MiB|%|W|MHz)(?=,)/g, "");
  expect(withoutUnits).not.toContain("%");
  for (const text of [row, withoutUnits]) {
    const { records, rejected, warnings, path } = await read(`${header}\n${text}\n`);
    expect(rejected).toEqual([]);
    expect(records.map(valuesOf)).toEqual([values]);
    expect(records[0]?.timeMs).toBe(Date.UTC(2026, 6, 14, 8, 12, 38, 696));
    expect(records[0]?.gpu).toMatchObject({
      uuid: uuidOf(1),
      gpuId: 3,
      hostname: "box",
      modelName: "NVIDIA H100 80GB HBM3",
    });
    expect(records[0]?.gpu.properties).toEqual({ pci_bus_id: "00000000:01:00.0", serial: "1650522003820" });
    expect(warnings).toEqual([
      `${path} is a table of nvidia-smi, which does not name the host: its GPUs are on box (SOURCE_HOSTNAME)`,
      `${path}: the column "pstate" has cells that are not read`,
    ]);
  }
});

test("a value that nvidia-smi does not have is missing; one in another unit is converted or rejected", async () => {
  const missing = row.replace("815 MiB", "[N/A]").replace("87 %", "[Requested functionality has been deprecated]");
  const { records, rejected } = await read(
    `${header}\n${missing.replace("98.14 W", "98140 mW").replace("1980 MHz", "1980 rpm")}\n`,
  );
  const unread = ["memory_used_mb", "gpu_utilization", "sm_clock_mhz"];
  const others = Object.fromEntries(Object.entries(values).filter(([name]) => !unread.includes(name)));
  expect(records.map(valuesOf)).toEqual([others]);
  expect(rejected).toMatchObject([{ reason: "invalid_value", field: "clocks.current.sm [MHz]", value: "1980 rpm" }]);
});

test("a column in another unit than nvidia-smi's is no value of the catalogue's metric", async () => {
  const { records } = await read(
    `timestamp, index, uuid, memory.used [GiB], temperature.gpu\n2026/07/14 08:12:38.696, 0, ${uuidOf(0)}, 1, 45\n`,
  );
  expect(records.map(valuesOf)).toEqual([{ temperature: 45, "memory.used [GiB]": 1 }]);
});

test("the host is the column's if it has a name, the setting's if not; without both, the file cannot be read", async () => {
  const text = (host: string): string =>
    `timestamp, index, uuid, hostname, temperature.gpu\n2026/07/14 08:12:38.696, 0, ${uuidOf(0)}, ${host}, 45\n`;
  expect((await read(text("gpu-1"))).records[0]?.gpu.hostname).toBe("gpu-1");
  expect((await read(text("[N/A]"))).records[0]?.gpu.hostname).toBe("box");
  await expect(read(`${header}\n${row}\n`, { hostname: undefined })).rejects.toThrow("set SOURCE_HOSTNAME");
  const { records, rejected } = await read(text("[N/A]"), { hostname: undefined });
  expect([records.length, rejected]).toMatchObject([0, [{ reason: "missing_field", field: "hostname" }]]);
});

test("a table without the index or the uuid of its GPUs says which fields to query", async () => {
  const text = "timestamp, name, temperature.gpu\n2026/07/14 08:12:38.696, NVIDIA H100, 45\n";
  await expect(read(text)).rejects.toThrow("missing gpu_id, uuid (of nvidia-smi: timestamp, index and uuid)");
});

test("other tables are read as before: an index is no gpu_id, and a name no model", async () => {
  await expect(read("timestamp,index,uuid,hostname,temperature\n1752871354,0,GPU-1,h,45\n")).rejects.toThrow(
    "missing gpu_id",
  );
  const { records, warnings } = await read(
    "timestamp,gpu_id,uuid,hostname,name,temperature\n1752871354,0,GPU-1,h,job,45\n",
  );
  expect(records[0]?.gpu).toMatchObject({ hostname: "h", modelName: "" });
  expect(warnings).toHaveLength(1);
});

test("the table and the XML of a GPU give the same values", async () => {
  const body = `<fb_memory_usage><used>815 MiB</used></fb_memory_usage><utilization><gpu_util>87 %</gpu_util></utilization>
    <gpu_power_readings><power_draw>98.14 W</power_draw></gpu_power_readings><clocks><sm_clock>1980 MHz</sm_clock></clocks>
    <temperature><gpu_temp>45 C</gpu_temp></temperature><fan_speed>38 %</fan_speed>
    <clocks_event_reasons><clocks_event_reason_sw_power_cap>Active</clocks_event_reason_sw_power_cap>
    <clocks_event_reason_hw_thermal_slowdown>Active</clocks_event_reason_hw_thermal_slowdown></clocks_event_reasons>
    <remapped_rows><remapped_row_failure>No</remapped_row_failure></remapped_rows>
    <retired_pages><pending_retirement>Yes</pending_retirement></retired_pages>`;
  expect(readXml(smiXml([{ body }])).records.map(valuesOf)).toEqual([values]);
});

const real = {
  h100: sharedData("nvidia-smi", "linux-x86_64__nvidia-h100-80gb-hbm3__590.48.01__load__query-gpu.csv"),
  rtx2080: sharedData("nvidia-smi", "linux-x86_64__nvidia-geforce-rtx-2080-super__610.57.04__load__query-gpu.csv"),
};

test.skipIf(real.h100 === undefined)(
  "every field of an H100: its uuid was removed, so the row is rejected; with a uuid, it is read",
  async () => {
    const text = readFileSync(real.h100 as string, "utf8");
    expect((await read(text)).rejected).toMatchObject([{ reason: "missing_field", field: "uuid" }]);
    const { records, rejected } = await read(text.replace("GPU-00000000-0000-0000-0000-000000000000", uuidOf(0)));
    expect(rejected).toEqual([]);
    expect(records).toHaveLength(1);
    expect(records[0]?.timeMs).toBe(Date.UTC(2026, 6, 14, 8, 12, 53, 353));
    expect(records[0]?.gpu).toMatchObject({ gpuId: 0, modelName: "NVIDIA H100 80GB HBM3", driverVersion: "590.48.01" });
    expect(records[0]?.gpu.properties).toMatchObject({ vbios_version: "96.00.A5.00.01", ecc_inforom_version: "7.16" });
    expect(valuesOf(records[0])).toMatchObject({
      ...{ gpu_utilization: 100, memory_utilization: 11, enc_utilization: 0, memory_capacity_mb: 81559 },
      ...{
        memory_used_mb: 19818,
        memory_free_mb: 61263,
        memory_reserved_mb: 479,
        temperature: 59,
        memory_temperature: 54,
      },
      ...{ power_draw: 631.95, sm_clock_mhz: 1980, memory_clock_mhz: 2619, clock_event_reasons: 0 },
      ...{ ecc_sbe_volatile_total: 0, ecc_dbe_aggregate_total: 0, correctable_remapped_rows: 0, row_remap_failure: 0 },
      ...{ "power.limit": 700, "power.draw.instant": 625.68, "clocks.max.sm": 1980 },
    });
  },
);

test.skipIf(real.rtx2080 === undefined)(
  "every field of an RTX 2080 SUPER, whose driver has deprecated some",
  async () => {
    const text = readFileSync(real.rtx2080 as string, "utf8");
    const { records, rejected } = await read(text.replace("GPU-00000000-0000-0000-0000-000000000000", uuidOf(0)));
    expect(rejected).toEqual([]);
    const [record] = records;
    expect(valuesOf(record)).toMatchObject({
      ...{ gpu_utilization: 8, memory_utilization: 3, enc_utilization: 100, memory_used_mb: 815, temperature: 38 },
      ...{ power_draw: 98.14, sm_clock_mhz: 2070, memory_clock_mhz: 7500, "fan.speed": 38, "power.max_limit": 350 },
      "clocks_event_reasons_counters.sw_power_cap": 15820333506,
    });
    for (const name of ["memory_temperature", "ecc_sbe_volatile_total", "row_remap_failure"]) {
      expect(valuesOf(record)).not.toHaveProperty(name);
    }
  },
);
