import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { valuesOf } from "../devices/read-rows.ts";
import { sharedData } from "../../support/shared-data.ts";
import { migXml, processXml, readXml, smiXml, uuidOf } from "./smi-xml.ts";

const memory = (used: string): string => `<fb_memory_usage><used>${used}</used></fb_memory_usage>`;

describe("the documents of real machines", () => {
  const a100 = sharedData("nvidia-smi", "a100-sxm4-v12.xml");
  test.skipIf(a100 === undefined)(
    "an A100 in MIG mode: the board's metrics are the GPU's, memory the instances'",
    () => {
      const { batch, records } = readXml(readFileSync(a100 as string, "utf8"));
      const [gpu, ...instances] = records;
      expect(batch.rejected).toEqual([]);
      expect(gpu?.gpu).toEqual({
        uuid: "GPU-513536b6-7d19-9063-b049-1e69664bb298",
        ...{ clusterId: "c1", hostname: "box", gpuId: 1, device: "nvidia1" },
        ...{ modelName: "NVIDIA A100-SXM4-80GB", driverVersion: "535.54.03" },
        properties: {
          ...{ brand: "NVIDIA", serial: "1650522003820", vbios_version: "92.00.36.00.02" },
          pci_bus_id: "00000000:01:00.0",
          inforom_image_version: "G506.0212.00.01",
          ...{ oem_inforom_version: "2.0", ecc_inforom_version: "6.16" },
        },
      });
      expect(valuesOf(gpu)).toMatchObject({
        ...{ memory_used_mb: 50, memory_free_mb: 80999, memory_reserved_mb: 869 },
        ...{ temperature: 27, memory_temperature: 44, power_draw: 67.03, sm_clock_mhz: 1275, memory_clock_mhz: 1593 },
        ...{
          memory_capacity_mb: 81920,
          clock_event_reasons: 0,
          pcie_replay_total: 0,
          ecc_sbe_volatile_total: 0,
          ecc_dbe_aggregate_total: 0,
          processes: 0,
        },
        ...{ "power.limit": 500, "pcie.link.gen.current": 4, "pcie.link.width.current": 16 },
      });
      for (const name of ["gpu_utilization", "retired_pages_sbe", "row_remap_failure", "fan.speed"]) {
        expect(valuesOf(gpu)).not.toHaveProperty(name);
      }
      expect(instances.map((record) => record.gpu.uuid.split(":mig:")[1])).toEqual(["3:", "4:", "5:", "6:"]);
      for (const instance of instances) {
        expect(valuesOf(instance)).toMatchObject({ memory_used_mb: 12, memory_free_mb: 19955, memory_reserved_mb: 0 });
        for (const name of ["temperature", "power_draw", "ecc_dbe_volatile_total"]) {
          expect(valuesOf(instance)).not.toHaveProperty(name);
        }
      }
    },
  );

  const t4 = sharedData("nvidia-smi", "tesla-t4.xml");
  test.skipIf(t4 === undefined)("a T4 with two processes", () => {
    const { batch, records } = readXml(readFileSync(t4 as string, "utf8"));
    expect(records).toHaveLength(1);
    expect(batch.rejected).toEqual([]);
    expect(records[0]?.gpu).toMatchObject({ gpuId: 0, modelName: "Tesla T4", driverVersion: "515.105.01" });
    expect(valuesOf(records[0])).toMatchObject({
      ...{ gpu_utilization: 0, memory_used_mb: 1032, memory_free_mb: 13939, temperature: 40, power_draw: 26.78 },
      ...{ sm_clock_mhz: 585, memory_clock_mhz: 5000, retired_pages_sbe: 0, retired_pages_pending: 0 },
      ...{ processes: 2, 'processes{process="python"}': 1, 'process_memory_used_mb{process="python"}': 1005 },
      'process_memory_used_mb{process="Xorg"}': 22,
    });
  });

  const gtx = sharedData("nvidia-smi", "gtx-1070-ti.xml");
  test.skipIf(gtx === undefined)("a GTX 1070 Ti of an old driver, which says little", () => {
    const { batch, records } = readXml(readFileSync(gtx as string, "utf8"));
    expect(batch.rejected).toEqual([]);
    expect(records[0]?.gpu).toMatchObject({
      gpuId: 0,
      modelName: "GeForce GTX 1070 Ti",
      driverVersion: "",
      properties: {},
    });
    expect(valuesOf(records[0])).toMatchObject({ memory_used_mb: 42, temperature: 39, "fan.speed": 100 });
    expect(valuesOf(records[0])).not.toHaveProperty("processes");
  });
});

test("a value has the unit of its text; one that means 'no value' is missing, and one without its unit is rejected alone", () => {
  const body = `
    <fb_memory_usage><used>1.5 GiB</used><free>4096 KiB</free><reserved>[N/A]</reserved></fb_memory_usage>
    <temperature><gpu_temp>45 C</gpu_temp><memory_temp>113 F</memory_temp></temperature>
    <utilization><gpu_util>87 %</gpu_util><memory_util>87</memory_util><encoder_util>870 %</encoder_util>
    <decoder_util>Requested functionality has been deprecated</decoder_util></utilization>
    <gpu_power_readings><power_draw>N/A</power_draw><instant_power_draw>98140.5 mW</instant_power_draw></gpu_power_readings>
    <clocks><sm_clock>1.98 GHz</sm_clock><mem_clock>ERR!</mem_clock></clocks>
    <remapped_rows><remapped_row_corr>2</remapped_row_corr><remapped_row_failure>Yes</remapped_row_failure></remapped_rows>`;
  const { batch, records } = readXml(smiXml([{ body }]));
  expect(valuesOf(records[0])).toEqual({
    ...{ memory_used_mb: 1536, memory_free_mb: 4, temperature: 45, gpu_utilization: 87 },
    ...{ power_draw: 98.1405, sm_clock_mhz: 1980, correctable_remapped_rows: 2, row_remap_failure: 1 },
  });
  expect(batch.tally).toMatchObject({ rows: 1, samples: 8, missing: 3 });
  expect(batch.rejected.map(({ field, reason, value }) => [field, reason, value])).toEqual([
    ["utilization.memory", "invalid_value", "87"],
    ["utilization.encoder", "value_out_of_range", "870"],
    ["temperature.memory", "invalid_value", "113 F"],
  ]);
  expect(batch.rejected[2]?.message).toBe('The text "113 F" is not a number with the unit C.');
});

test("ECC errors of all memories are added up, in the parts that old and new drivers print", () => {
  const written = (parts: string): string => `<ecc_errors><volatile>${parts}</volatile></ecc_errors>`;
  const newParts = `<sram_correctable>1</sram_correctable><sram_uncorrectable_parity>2</sram_uncorrectable_parity>
    <sram_uncorrectable_secded>3</sram_uncorrectable_secded><dram_correctable>4</dram_correctable><dram_uncorrectable>5</dram_uncorrectable>`;
  const oldParts = `<single_bit><device_memory>4</device_memory><total>5</total></single_bit><double_bit><total>10</total></double_bit>`;
  for (const parts of [newParts, oldParts]) {
    const { records } = readXml(smiXml([{ body: written(parts) }]));
    expect(valuesOf(records[0])).toEqual({ ecc_sbe_volatile_total: 5, ecc_dbe_volatile_total: 10 });
  }
});

test("reasons for reduced clocks are one number, under the names of old and new drivers", () => {
  for (const word of ["event", "throttle"]) {
    const reasons = { gpu_idle: "Not Active", sw_power_cap: "Active", hw_thermal_slowdown: "Active" };
    const elements = Object.entries(reasons).map(
      ([reason, text]) => `<clocks_${word}_reason_${reason}>${text}</clocks_${word}_reason_${reason}>`,
    );
    const { records } = readXml(
      smiXml([{ body: `<clocks_${word}_reasons>${elements.join("")}</clocks_${word}_reasons>` }]),
    );
    expect(valuesOf(records[0])).toEqual({ clock_event_reasons: 0x44 });
  }
});

test("a MIG instance has the profile that nvidia-smi -L lists, its own processes, and the identity that DCGM's labels give it", () => {
  const body = `<mig_devices>${migXml(0, 3, 100)}${migXml(1, 9, 200)}</mig_devices>
    <processes>${processXml("train", "90 MiB", "3")}${processXml("serve", "5 MiB", "9")}${processXml("serve", "6 MiB", "9")}</processes>`;
  const list = `GPU 7: NVIDIA H100 80GB HBM3 (UUID: ${uuidOf(0)})
  MIG 3g.40gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1c.2g.20gb  Device  1: (UUID: MIG-0c757cd7-e942-5726-a0b8-0e8fb7067135)\n`;
  const { records } = readXml(smiXml([{ body }]), list);
  expect(records.map(({ gpu }) => [gpu.uuid, gpu.gpuId])).toEqual([
    [uuidOf(0), 7],
    [`${uuidOf(0)}:mig:3:3g.40gb`, 7],
    [`${uuidOf(0)}:mig:9:2g.20gb`, 7],
  ]);
  expect(records.map(valuesOf)).toMatchObject([
    { processes: 0 },
    { memory_used_mb: 100, processes: 1, 'process_memory_used_mb{process="train"}': 90 },
    { memory_used_mb: 200, 'processes{process="serve"}': 2, 'process_memory_used_mb{process="serve"}': 11 },
  ]);
});

test("a MIG instance that came after the list was printed is rejected alone, because its profile is not known", () => {
  const body = `${memory("10 MiB")}<mig_devices>${migXml(0, 3, 100)}</mig_devices>`;
  const { batch, records } = readXml(smiXml([{ body }]), `GPU 0: NVIDIA H100 (UUID: ${uuidOf(0)})\n`);
  expect(records.map(valuesOf)).toEqual([{ memory_used_mb: 10 }]);
  expect(batch.rejected).toMatchObject([{ reason: "missing_field", field: "mig_device", value: "0" }]);
});

test("processes are counted by program, without folders, arguments and process ids", () => {
  const names = [
    ...["/usr/bin/python3.11", "python3.11 train.py --lr 0.1", "/opt/google/chrome/chrome --type=gpu-process"],
    ...["C:\\Program Files\\Blender\\blender.exe", "[Not Found]", "a &lt;b&gt; & c", 'odd"name', "x<y>"],
  ];
  const body = `<processes>${names.map((name) => processXml(name, "10 MiB")).join("")}${processXml("wddm", "N/A")}</processes>`;
  const { batch, records } = readXml(smiXml([{ body }]));
  expect(batch.rejected).toEqual([]);
  expect(valuesOf(records[0])).toEqual({
    processes: 9,
    ...{ 'processes{process="python3.11"}': 2, 'process_memory_used_mb{process="python3.11"}': 20 },
    ...{ 'processes{process="chrome"}': 1, 'process_memory_used_mb{process="chrome"}': 10 },
    ...{ 'processes{process="blender.exe"}': 1, 'process_memory_used_mb{process="blender.exe"}': 10 },
    ...{ 'processes{process="unknown"}': 1, 'process_memory_used_mb{process="unknown"}': 10 },
    ...{ 'processes{process="a"}': 1, 'process_memory_used_mb{process="a"}': 10 },
    ...{ 'processes{process="odd\\"name"}': 1, 'process_memory_used_mb{process="odd\\"name"}': 10 },
    ...{ 'processes{process="x<y>"}': 1, 'process_memory_used_mb{process="x<y>"}': 10 },
    'processes{process="wddm"}': 1,
  });
});

test("a process in an instance that is not listed counts for the GPU, and a memory that no GPU has is missing", () => {
  const body = `<mig_devices>${migXml(0, 3, 100)}</mig_devices><processes>${processXml("train", "90 MiB", "3")}
    ${processXml("left", "5 MiB", "9")}${processXml("odd", "18446744073709551615 MiB")}${processXml("odd", "17592186044415 MiB")}</processes>`;
  const { batch, records } = readXml(smiXml([{ body }]));
  expect(batch.rejected).toEqual([]);
  expect(records.map(valuesOf)).toMatchObject([
    { processes: 3, 'process_memory_used_mb{process="left"}': 5, 'processes{process="odd"}': 2 },
    { processes: 1, 'process_memory_used_mb{process="train"}': 90 },
  ]);
  expect(valuesOf(records[0])).not.toHaveProperty('process_memory_used_mb{process="odd"}');
});

test("programs beyond the 64 with the most memory are counted together", () => {
  const processes = Array.from({ length: 200 }, (_, index) => processXml(`job-${index}`, `${index} MiB`));
  const { records } = readXml(smiXml([{ body: `<processes>${processes.join("")}</processes>` }]));
  const values = valuesOf(records[0]);
  expect(Object.keys(values)).toHaveLength(1 + 2 * 65);
  expect(values).toMatchObject({ processes: 200, 'processes{process="other"}': 136 });
  expect(values['process_memory_used_mb{process="other"}']).toBe((135 * 136) / 2);
});

test("a GPU's index is its position; if other GPUs are missing, it is the number of its device file", () => {
  const gpus = [5, 4].map((minor, index) => ({ uuid: uuidOf(index), minor: String(minor), body: memory("1 MiB") }));
  expect(readXml(smiXml(gpus)).records.map(({ gpu }) => gpu.gpuId)).toEqual([0, 1]);
  expect(readXml(smiXml(gpus, { attached: 8 })).records.map(({ gpu }) => gpu.gpuId)).toEqual([5, 4]);
});

test("a GPU that is lost is rejected, and the other GPUs are read", () => {
  const gpus = [
    { uuid: "GPU is lost", body: memory("N/A") },
    { uuid: uuidOf(1), body: memory("7 MiB") },
  ];
  const { batch, records } = readXml(smiXml(gpus));
  expect(records.map(({ gpu }) => gpu.uuid)).toEqual([uuidOf(1)]);
  expect(batch.rejected).toMatchObject([{ reason: "missing_field", field: "uuid", value: "GPU is lost" }]);
  expect(batch.rejected[0]?.raw).toContain("00000000:01:00.0");
});

test("a document cannot expand entities, and a document that is none is refused", () => {
  const bomb = smiXml([{ body: memory("&b;") }]).replace(
    /<!DOCTYPE[^>]*>/,
    '<!DOCTYPE nvidia_smi_log [<!ENTITY a "1111 MiB"><!ENTITY b "&a;&a;&a;">]>',
  );
  const { batch, records } = readXml(bomb);
  expect(valuesOf(records[0])).toEqual({});
  expect(batch.rejected).toMatchObject([{ field: "memory.used", value: "&b;" }]);
  expect(() => readXml("<nvidia_smi_log>none</nvidia_smi_log>")).toThrow("it has no element nvidia_smi_log");
  expect(() => readXml("<nvidia_smi_log><gpu></other></nvidia_smi_log>")).toThrow(
    "the XML of nvidia-smi is broken, near line 1",
  );
  expect(() => readXml(`<nvidia_smi_log>${"<a>".repeat(5000)}${"</a>".repeat(5000)}</nvidia_smi_log>`)).toThrow(
    "cannot be read",
  );
});
