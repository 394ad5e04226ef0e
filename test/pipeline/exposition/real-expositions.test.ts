import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { sharedData } from "../../support/shared-data.ts";
import { openTarget, valuesOn } from "./read-exposition.ts";

const read = (path: string) => openTarget()(readFileSync(path, "utf8"));
const a100 = "GPU-7099682b-a20d-2bcc-74ab-b9060454d81e";

interface Expected {
  readonly file: string;
  readonly rejected: readonly (readonly [line: number, raw: string])[];
  readonly values: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly occupants: Readonly<Record<string, readonly string[]>>;
}

const idle = { gpu_utilization: 0, memory_utilization: 0, enc_utilization: 0, dec_utilization: 0 };
const healthy = { xid_error: 0, pcie_replay_total: 0, nvlink_bandwidth_total: 0 };

const expositions: readonly Expected[] = [
  {
    file: "1_workload.ini",
    rejected: [],
    values: {
      "GPU-7a2e92f2-be71-d37e-a744-541600ffc722": {
        ...{ ...idle, ...healthy, sm_clock_mhz: 585, memory_clock_mhz: 5000, temperature: 55, power_draw: 28.722 },
        ...{ total_energy_mj: 9022652, memory_free_mb: 14831, memory_used_mb: 128, gr_engine_active: 0.000039 },
        ...{ tensor_active: 0, dram_active: 0.000002, pcie_tx_bytes: 79221, pcie_rx_bytes: 420785 },
      },
      "GPU-5f587dd4-6505-0873-c6db-8324dbfe5ba9": {
        ...{ ...idle, ...healthy, sm_clock_mhz: 300, memory_clock_mhz: 405, temperature: 52, power_draw: 17.035 },
        ...{ total_energy_mj: 8855497, memory_free_mb: 14955, memory_used_mb: 5, gr_engine_active: 0 },
        ...{ tensor_active: 0, dram_active: 0.000001, pcie_tx_bytes: 10888, pcie_rx_bytes: 10888 },
      },
    },
    occupants: {
      "GPU-7a2e92f2-be71-d37e-a744-541600ffc722": [
        "runai-reservation/runai-reservation-gpu-qa-mig-worker-gpu-1-kvltw/runai-reservation",
      ],
    },
  },
  {
    file: "Active_1g.5gb.ini",
    rejected: [[1, "Active 1g.5gb"]],
    values: {
      [a100]: {
        ...{ ...healthy, sm_clock_mhz: 1410, memory_clock_mhz: 1215, memory_temperature: 39, temperature: 37 },
        ...{ power_draw: 115.294, total_energy_mj: 27151028 },
      },
      [`${a100}:mig:9:1g.5gb`]: {
        ...{ memory_free_mb: 480, memory_used_mb: 4384 },
        ...{ gr_engine_active: 0.999892, tensor_active: 0.000118, dram_active: 0.622646 },
      },
    },
    occupants: {},
  },
  {
    file: "Emtpy_MIG_enabled.ini",
    rejected: [[1, "Emtpy MIG enabled"]],
    values: {
      [a100]: {
        ...{ ...healthy, sm_clock_mhz: 1410, memory_clock_mhz: 1215, memory_temperature: 30, temperature: 32 },
        ...{ power_draw: 75.96, total_energy_mj: 8981778, gr_engine_active: 0.000033, tensor_active: 0 },
        ...{ dram_active: 0.000005, pcie_tx_bytes: 563898, pcie_rx_bytes: 1161041 },
      },
    },
    occupants: {},
  },
  {
    file: "Idle_1g.5gb_allocated.ini",
    rejected: [[1, "Idle 1g.5gb allocated"]],
    values: {
      [a100]: {
        ...{ ...healthy, sm_clock_mhz: 1410, memory_clock_mhz: 1215, memory_temperature: 30, temperature: 32 },
        ...{ power_draw: 75.69, total_energy_mj: 4617218 },
      },
      [`${a100}:mig:8:1g.5gb`]: {
        ...{ memory_free_mb: 4857, memory_used_mb: 6, gr_engine_active: 0, tensor_active: 0, dram_active: 0 },
      },
    },
    occupants: {},
  },
];

describe("dcgm-exporter's text of a machine gives its devices, values, occupants and unreadable lines", () => {
  test.each(expositions)("$file", ({ file, rejected, values, occupants }) => {
    const path = sharedData("exposition", file);
    if (path === undefined) return;
    const reading = read(path);
    expect(reading.dialect).toBe("dcgm");
    expect(reading.rejections.map(({ line, raw }) => [line, raw])).toEqual(rejected.map((each) => [...each]));
    expect(reading.records.map(({ gpu }) => gpu.uuid).sort()).toEqual(Object.keys(values).sort());
    for (const [uuid, expected] of Object.entries(values)) expect(valuesOn(reading, uuid)).toEqual({ ...expected });
    for (const { gpu, occupants: found } of reading.records) {
      expect([gpu.uuid, found]).toEqual([gpu.uuid, occupants[gpu.uuid] ?? []]);
      // Hostname is the exporter's own pod
      expect([gpu.hostname, gpu.clusterId]).toEqual(["node-7", "c1"]);
      expect(gpu.driverVersion).toMatch(/^52[05]\./);
    }
    expect(reading).toMatchObject({ ignored: 0, undecided: 0, rejected: rejected.length });
    // the file itself has no line end, so its last number may be a part of one
    const { rejections, samples } = openTarget()(readFileSync(path));
    const [line, raw] = [rejections.at(-1)?.line, readFileSync(path, "utf8").split("\n").at(-1)];
    expect(rejections.at(-1)).toMatchObject({ reason: "malformed_line", raw });
    expect([samples, line]).toEqual([reading.samples - 1, readFileSync(path, "utf8").split("\n").length]);
  });

  const h100 = sharedData("exposition", "h100-8gpu.prom");
  test.skipIf(h100 === undefined)("h100-8gpu.prom", () => {
    const reading = read(h100 ?? "");
    expect(reading).toMatchObject({ dialect: "dcgm", devices: 8, samples: 30, ignored: 0, rejected: 0 });
    expect(
      reading.records.map(({ gpu, metrics }) => [gpu.gpuId, metrics.get("temperature"), metrics.get("power_draw")]),
    ).toEqual([
      [0, 26, 67.351],
      [1, 28, 67.746],
      [2, 27, 66.834],
      [3, 29, 69.771],
      [4, 29, 66.401],
      [5, 27, 66.619],
      [6, 29, 68.529],
      [7, 28, 69.468],
    ]);
    const others = reading.records.map(({ metrics }) => [
      metrics.get("gpu_utilization"),
      metrics.get("memory_utilization"),
    ]);
    // the text ends at the sixth GPU's memory
    expect(others).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((gpu) => [0, gpu < 6 ? 0 : undefined]));
    expect(reading.records.every(({ custom, occupants }) => custom.size + occupants.length === 0)).toBe(true);
    expect(reading.records[7]?.gpu).toMatchObject({
      uuid: "GPU-b60b817a-a091-c492-4211-92b276d697e6",
      hostname: "ip-100-64-171-120.ec2.internal",
      device: "nvidia7",
      modelName: "NVIDIA H100 80GB HBM3",
      driverVersion: "580.105.08",
      properties: { pci_bus_id: "00000000:CA:00.0" },
    });
  });
});
