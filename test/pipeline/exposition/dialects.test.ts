import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { openTarget, valuesOn } from "./read-exposition.ts";

const uuid = "GPU-7a2e92f2-be71-d37e-a744-541600ffc722";
const bare = uuid.slice("GPU-".length);
const pod = 'container="trainer",namespace="ml",pod="job-7"';
const host = "nvidia-dcgm-exporter-s228n";

const older = (name: string, value: string) =>
  `${name}{gpu="3",UUID="${uuid}",device="nvidia3",modelName="NVIDIA H100 80GB HBM3",Hostname="${host}",DCGM_FI_DRIVER_VERSION="590.48.01",${pod}} ${value}`;
const newer = (name: string, value: string) =>
  `${name}{gpu="3",UUID="${uuid}",device="nvidia3",modelName="NVIDIA H100 80GB HBM3",hostname="${host}",DCGM_FI_SYSTEM_DRIVER_VERSION="590.48.01",${pod}} ${value}`;
const smi = (name: string, value: string) => `nvidia_smi_${name}{uuid="${bare}"} ${value}`;

const inDcgm = [
  older("DCGM_FI_DEV_GPU_UTIL", "87"),
  older("DCGM_FI_DEV_MEM_COPY_UTIL", "29"),
  older("DCGM_FI_DEV_ENC_UTIL", "7"),
  older("DCGM_FI_DEV_FB_USED", "19818"),
  older("DCGM_FI_DEV_FB_FREE", "61263"),
  older("DCGM_FI_DEV_FB_RESERVED", "479"),
  older("DCGM_FI_DEV_FB_TOTAL", "81559"),
  older("DCGM_FI_DEV_SM_CLOCK", "1980"),
  older("DCGM_FI_DEV_MEM_CLOCK", "2619"),
  older("DCGM_FI_DEV_GPU_TEMP", "59"),
  older("DCGM_FI_DEV_MEMORY_TEMP", "54"),
  older("DCGM_FI_DEV_POWER_USAGE", "631.950000"),
  older("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "9022652"),
  older("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "2"),
  older("DCGM_FI_DEV_ROW_REMAP_PENDING", "0"),
  older("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "3"),
  older("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "4"),
];
const inDcgm49 = [
  newer("DCGM_FI_DEV_GPU_UTIL_RATIO", "0.870000"),
  newer("DCGM_FI_DEV_MEMORY_UTIL_RATIO", "0.290000"),
  newer("DCGM_FI_DEV_ENC_UTIL_RATIO", "0.070000"),
  newer("DCGM_FI_DEV_FB_USED_BYTES", "20780679168"),
  newer("DCGM_FI_DEV_FB_FREE_BYTES", "64238911488"),
  newer("DCGM_FI_DEV_FB_RESERVED_BYTES", "502267904"),
  newer("DCGM_FI_DEV_FB_CAPACITY_BYTES", "85520809984"),
  newer("DCGM_FI_DEV_SM_CLOCK_HERTZ", "1980000000"),
  newer("DCGM_FI_DEV_MEMORY_CLOCK_HERTZ", "2619000000"),
  newer("DCGM_FI_DEV_GPU_TEMP_CELSIUS", "59"),
  newer("DCGM_FI_DEV_MEMORY_TEMP_CELSIUS", "54"),
  newer("DCGM_FI_DEV_BOARD_POWER_WATTS", "631.950000"),
  newer("DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL", "9022.652"),
  newer("DCGM_FI_DEV_ROW_REMAP_UNCORRECTABLE_TOTAL", "2"),
  newer("DCGM_FI_DEV_ROW_REMAP_PENDING", "0"),
  newer("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "3"),
  newer("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "4"),
];
const inSmi = [
  smi("utilization_gpu_ratio", "0.87"),
  smi("utilization_memory_ratio", "0.29"),
  smi("utilization_encoder_ratio", "0.07"),
  smi("memory_used_bytes", "2.0780679168e+10"),
  smi("memory_free_bytes", "6.4238911488e+10"),
  smi("memory_reserved_bytes", "5.02267904e+08"),
  smi("memory_total_bytes", "8.5520809984e+10"),
  smi("clocks_current_sm_clock_hz", "1.98e+09"),
  smi("clocks_current_memory_clock_hz", "2.619e+09"),
  // after some metrics of the GPU, as the exporter sorts its output
  `nvidia_smi_gpu_info{compute_cap="9.0",driver_model_current="[N/A]",driver_version="590.48.01",index="3",name="NVIDIA H100 80GB HBM3",pci_bus_id="00000000:00:09.0",serial="1320",uuid="${bare}",vbios_version="96.00.A5.00.01"} 1`,
  smi("temperature_gpu", "59"),
  smi("temperature_memory", "54"),
  smi("power_draw_watts", "631.95"),
  smi("energy_joules_total", "9022.652"),
  smi("remapped_rows_uncorrectable", "2"),
  smi("remapped_rows_pending", "0"),
  smi("ecc_errors_corrected_volatile_total", "3"),
  smi("clocks_event_reasons_active", "4"),
  "nvidia_smi_last_collect_success 1",
  "nvidia_smi_failed_scrapes_total 0",
];
const expected = {
  ...{ gpu_utilization: 87, memory_utilization: 29, enc_utilization: 7, memory_used_mb: 19818, memory_free_mb: 61263 },
  ...{ memory_reserved_mb: 479, memory_capacity_mb: 81559, sm_clock_mhz: 1980, memory_clock_mhz: 2619 },
  ...{ temperature: 59, memory_temperature: 54, power_draw: 631.95, total_energy_mj: 9022652 },
  ...{ uncorrectable_remapped_rows: 2, row_remap_pending: 0, ecc_sbe_volatile_total: 3, clock_event_reasons: 4 },
};

test.each([
  ["dcgm", inDcgm],
  ["dcgm-4.9", inDcgm49],
  ["nvidia_gpu_exporter", inSmi],
] as const)("the same GPU has the same record through the dialect %s", (dialect, lines) => {
  const reading = openTarget()(`${lines.join("\n")}\n`);
  expect(reading).toMatchObject({ dialect, devices: 1, samples: 17, rejected: 0, undecided: 0 });
  expect(valuesOn(reading, uuid)).toEqual(expected);
  expect(reading.records.map(({ gpu, timeMs }) => [gpu.uuid, gpu.hostname, gpu.gpuId, gpu.modelName, timeMs])).toEqual([
    [uuid, "node-7", 3, "NVIDIA H100 80GB HBM3", 1795690800000],
  ]);
  expect(reading.records[0]?.gpu.driverVersion).toBe("590.48.01");
  // nvidia_gpu_exporter does not know the pods
  expect(reading.records[0]?.occupants).toEqual(dialect === "nvidia_gpu_exporter" ? [] : ["ml/job-7/trainer"]);
});

test("labels that two exporters share name a device for each of them", () => {
  const shared = `{gpu="3",uuid="${bare}",serial_number="S1",hostname="node-7"} 7`;
  const reading = openTarget()(
    `dcgm_gpu_temp${shared}\ngpu_power_usage${shared}\nnvidia_smi_memory_used_bytes${shared}\n`,
  );
  expect(reading.records.map(({ gpu, metrics }) => [gpu.uuid, [...metrics.keys()]])).toEqual([
    [bare, ["temperature", "power_draw"]],
    [uuid, ["memory_used_mb"]],
  ]);
});

test("nvidia_gpu_exporter: what describes a GPU is joined, and a GPU that nothing describes is rejected", () => {
  const target = openTarget();
  const early = target(`${smi("temperature_gpu", "59")}\n`);
  expect(early.rejections.map(({ line, message }) => [line, message])).toEqual([
    [
      1,
      `Nothing in the exposition tells the index of GPU ${uuid} on its host: neither a label gpu nor nvidia_smi_gpu_info.`,
    ],
  ]);
  const info = `nvidia_smi_gpu_info{uuid="${bare}",index="0",name="T4",serial="1320"} 1`;
  expect(valuesOn(target([smi("temperature_gpu", "60"), info].join("\n")), uuid)).toEqual({ temperature: 60 });
  const later = target(smi("temperature_gpu", "61"));
  expect(later.records[0]?.gpu).toMatchObject({ gpuId: 0, modelName: "T4", properties: { serial: "1320" } });
  const moved = target([smi("temperature_gpu", "62"), info.replace('index="0"', 'index="1"')].join("\n"));
  expect(moved.records[0]?.gpu).toMatchObject({ gpuId: 1 });
});

test("nvidia_gpu_exporter: texts that it prints as numbers are no metrics; states and limits are", () => {
  const info = `nvidia_smi_gpu_info{uuid="${bare}",index="0",name="NVIDIA GeForce RTX 2080 SUPER",pci_bus_id="00000000:71:00.0"} 1`;
  const texts = ["name", "inforom_oem", "inforom_ecc", "pci_bus", "pci_device_id", "pci_domain", "serial", "count"];
  const numbers = { pstate: "5", pcie_link_gen_current: "1", power_limit_watts: "250", ecc_mode_current: "1" };
  const lines = [...texts.map((name) => smi(name, "7")), ...Object.entries(numbers).map(([name, n]) => smi(name, n))];
  const reading = openTarget()([info, ...lines].join("\n"));
  expect(valuesOn(reading, uuid)).toEqual(
    Object.fromEntries(Object.entries(numbers).map(([name, n]) => [`nvidia_smi_${name}`, Number(n)])),
  );
  expect(reading).toMatchObject({ samples: 4, ignored: 9, rejected: 0 });
  expect(reading.records[0]?.gpu.properties).toMatchObject({ pci_bus_id: "00000000:71:00.0" });
});

test("nvidia_gpu_exporter: the series of MIG instances belong to the instances", () => {
  const reading = openTarget()(
    [
      `nvidia_smi_gpu_info{uuid="${bare}",index="0",name="H100"} 1`,
      `nvidia_smi_mig_info{uuid="${bare}",mig_uuid="MIG-1",gpu_instance_id="3",compute_instance_id="0",profile="1g.10gb"} 1`,
      `nvidia_smi_mig_memory_used_bytes{uuid="${bare}",gpu_instance_id="3"} 1.048576e+09`,
      `nvidia_smi_mig_sm_activity_ratio{uuid="${bare}",gpu_instance_id="3"} 0.5`,
      smi("memory_used_bytes", "2.097152e+09"),
      `nvidia_smi_compute_app_used_memory_bytes{uuid="${bare}",pid="1",process_name="a"} 1`,
    ].join("\n"),
  );
  expect(valuesOn(reading, `${uuid}:mig:3:1g.10gb`)).toEqual({ memory_used_mb: 1000, sm_active: 0.5 });
  expect(valuesOn(reading, uuid)).toEqual({ memory_used_mb: 2000 });
  expect(reading).toMatchObject({ ignored: 3, rejected: 0 });
});

test("AMD's exporter: names in lower case, with a prefix, microjoules, and the serial number as identity", () => {
  const amd = (name: string, value: string, more = "") =>
    `${name}{gpu_id="2",serial_number="SN-2",hostname="node-a",card_model="Instinct MI300X",driver_version="6.14",pod="p",namespace="n",container="c"${more}} ${value}`;
  const reading = openTarget()(
    [
      amd("amd_gpu_power_usage", "255"),
      amd("amd_gpu_package_power", "748"),
      amd("amd_gpu_energy_consumed", "1.4e17"),
      amd("amd_gpu_used_vram", "183265"),
      amd("amd_gpu_gfx_activity", "65535"),
      amd("amd_gpu_clock", "1533", ',clock_type="GPU_CLOCK_TYPE_SYSTEM",clock_index="0"'),
      amd("amd_gpu_clock", "1292", ',clock_type="GPU_CLOCK_TYPE_MEMORY",clock_index="8"'),
      'amd_gpu_nodes_total{hostname="node-a"} 8',
    ].join("\n"),
  );
  expect(reading).toMatchObject({ dialect: "amd", devices: 1, ignored: 2, rejected: 0 });
  expect(reading.tally.missing).toBe(1);
  expect(valuesOn(reading, "AMD-SN-2")).toEqual({
    ...{ power_draw: 255, total_energy_mj: 1.4e14, memory_used_mb: 183265, sm_clock_mhz: 1533, memory_clock_mhz: 1292 },
    'sm_clock_mhz{clock_index="0"}': 1533,
    'memory_clock_mhz{clock_index="8"}': 1292,
  });
  expect(reading.records[0]).toMatchObject({
    gpu: {
      gpuId: 2,
      hostname: "node-a",
      modelName: "Instinct MI300X",
      driverVersion: "6.14",
      properties: { serial: "SN-2" },
    },
    occupants: ["n/p/c"],
  });
});

describe("AMD's exporter from 1.4.2 on", () => {
  const labels = (more: Readonly<Record<string, string>>): string =>
    Object.entries({
      ...{ card_model: "102-G30211-0C", card_series: "AMD Instinct MI300X OAM", card_vendor: "AMD", gpu_id: "47" },
      ...{ gpu_partition_id: "0", hostname: "node-a", serial_number: "692409005296", ...more },
    })
      .map(([name, value]) => `${name}="${value}"`)
      .join(",");
  const amd = (name: string, value: number, more: Readonly<Record<string, string>> = {}) =>
    `${name}{${labels(more)}} ${value}\n`;

  test("the series is the model's name, and the part number a property", () => {
    const [record] = openTarget()(amd("gpu_power_usage", 120)).records;
    expect(record?.gpu).toMatchObject({ modelName: "AMD Instinct MI300X OAM", gpuId: 47 });
    expect(record?.gpu.properties).toMatchObject({ card_model: "102-G30211-0C", serial: "692409005296" });
  });

  test("clocks whose type has no prefix are SM and memory clocks; other types keep their name", () => {
    const text =
      amd("gpu_clock", 1533, { clock_type: "system", clock_index: "0" }) +
      amd("gpu_clock", 1292, { clock_type: "memory", clock_index: "8" }) +
      amd("gpu_clock", 29, { clock_type: "video", clock_index: "9" });
    expect(valuesOn(openTarget()(text), "AMD-692409005296")).toEqual({
      ...{ sm_clock_mhz: 1533, memory_clock_mhz: 1292, 'gpu_clock{clock_index="9",clock_type="video"}': 29 },
      ...{ 'sm_clock_mhz{clock_index="0"}': 1533, 'memory_clock_mhz{clock_index="8"}': 1292 },
    });
  });

  test("values that an index tells apart are all kept, and the index is no property of the GPU", () => {
    const text = [
      ...[0, 1].map((link) => amd("gpu_xgmi_link_rx", 10 + link, { link_index: String(link) })),
      ...[0, 1].map((xcc) => amd("gpu_gfx_busy_instantaneous", 20 + xcc, { xcc_index: String(xcc) })),
      ...[0, 1].map((hbm) => amd("gpu_hbm_temperature", 30 + hbm, { hbm_index: String(hbm) })),
      amd("gpu_afid_errors", 30, { afid_index: "0", severity: "fatal" }),
      amd("gpu_power_usage", 120, { kfd_process_id: "17,19" }),
    ].join("");
    const reading = openTarget()(text);
    expect(reading.tally).toMatchObject({ conflicts: 0, duplicates: 0 });
    expect(valuesOn(reading, "AMD-692409005296")).toEqual({
      ...{ 'gpu_xgmi_link_rx{link_index="0"}': 10, 'gpu_xgmi_link_rx{link_index="1"}': 11, power_draw: 120 },
      ...{ 'gpu_gfx_busy_instantaneous{xcc_index="0"}': 20, 'gpu_gfx_busy_instantaneous{xcc_index="1"}': 21 },
      ...{ 'gpu_hbm_temperature{hbm_index="0"}': 30, 'gpu_hbm_temperature{hbm_index="1"}': 31 },
      'gpu_afid_errors{afid_index="0"}': 30,
    });
    const properties = ["card_model", "card_vendor", "gpu_partition_id", "serial"];
    expect(Object.keys(reading.records[0]?.gpu.properties ?? {})).toEqual(properties);
  });

  test("each part of a divided GPU is a device; a GPU that cannot be divided is one, whatever its serial number's part says", () => {
    const parts = ["0", "1", "7", "NA"].map((part) => amd("gpu_used_vram", 100, { gpu_partition_id: part }));
    const devices = parts.map((part) =>
      openTarget()(part)
        .records.map(({ gpu }) => gpu.uuid)
        .join(),
    );
    expect(devices).toEqual(["AMD-692409005296", "AMD-692409005296-1", "AMD-692409005296-7", "AMD-692409005296"]);
  });

  test.each(["N/A", "", "0", "unknown"])("a serial number of %p identifies no GPU", (serial) => {
    const reading = openTarget()(amd("gpu_power_usage", 120, { serial_number: serial }));
    expect(reading.records).toEqual([]);
    expect(reading.rejections).toMatchObject([{ reason: "missing_field", field: "UUID" }]);
  });

  test("a uuid that says that there is none gives way to the serial number", () => {
    const reading = openTarget()(amd("gpu_power_usage", 120, { gpu_uuid: "N/A" }));
    expect(reading.records.map(({ gpu }) => gpu.uuid)).toEqual(["AMD-692409005296"]);
  });
});

test("dcgm-exporter 1.x: lower-case names and labels", () => {
  const reading = openTarget()(
    `dcgm_gpu_utilization{gpu="0",uuid="${uuid}",device="nvidia0",pod_name="job-7",pod_namespace="ml",container_name="trainer"} 87\n`,
  );
  expect(reading).toMatchObject({ dialect: "dcgm-1", samples: 1 });
  expect(valuesOn(reading, uuid)).toEqual({ gpu_utilization: 87 });
  expect(reading.records[0]).toMatchObject({ gpu: { hostname: "node-7" }, occupants: ["ml/job-7/trainer"] });
});

test("the order of the lines does not matter, also if an exporter has a metric under several names", () => {
  const lines = [...inDcgm, ...inDcgm49, ...inSmi];
  const whole = openTarget()(lines.join("\n"));
  expect(valuesOn(whole, uuid)).toEqual(expected);
  fc.assert(
    fc.property(fc.shuffledSubarray(lines, { minLength: lines.length }), (shuffled) => {
      const reading = openTarget()(shuffled.join("\n"));
      expect(valuesOn(reading, uuid)).toEqual(expected);
      expect([reading.samples, reading.ignored, reading.undecided]).toEqual([whole.samples, whole.ignored, 0]);
    }),
    { numRuns: 30 },
  );
});

test("the same exposition gives the same records again, and other values only change the values", () => {
  const target = openTarget();
  const [first, second] = [target(inDcgm49.join("\n")), target(inDcgm49.join("\n").replace(" 59", " 60"))];
  expect(valuesOn(second, uuid)).toEqual({ ...expected, temperature: 60 });
  expect(second.records[0]?.gpu).toBe(first.records[0]?.gpu as never);
});
