import { afterEach, describe, expect, test } from "bun:test";
import { exporterMetrics } from "../../dev/exporters/derived-metrics.ts";
import type { ExporterDialect } from "../../dev/exporters/exporter-dialect.ts";
import { serveExporters, type ServeExportersOptions } from "../../dev/exporters/serve-exporters.ts";
import { metricIndexOf, metrics } from "../../src/domain/metrics.ts";
import { noShares } from "../../src/pipeline/source/simulated/devices/device-shares.ts";
import { batchOf } from "../../src/pipeline/source/simulated/simulated-batch.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { dueMs, openTarget, type Reading } from "../pipeline/exposition/read-exposition.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { type MergedRecord, recordsIn } from "../support/merged-records.ts";

const fleetOptions = { hosts: 3, gpusPerHost: 4, seed: 5, intervalMs: 15_000, clusterId: "c1" };
const ticks = 3;
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Serves the fleet, and reads every exporter after the ticks. */
async function read(
  dialect: ExporterDialect,
  options: Partial<ServeExportersOptions> = {},
): Promise<{ readings: readonly Reading[]; texts: readonly string[] }> {
  const clock = new ManualClock();
  const exporters = serveExporters({ ...fleetOptions, dialect, per: "path", port: 0, clock, ...options });
  stops.push(() => exporters.stop());
  await clock.advance(ticks * fleetOptions.intervalMs);
  const texts = await Promise.all(
    exporters.targets.map(async ({ address, path }) => await (await fetch(`http://${address}${path}`)).text()),
  );
  const readings = texts.map((text, index) => openTarget({ host: exporters.targets[index]?.hostname ?? "" })(text));
  return { readings, texts };
}

/** What the simulator's own batch has at the same tick. */
function simulated(shares = noShares): readonly MergedRecord[] {
  const fleet = new SimulatedFleet({ ...fleetOptions, shares });
  for (let tick = 0; tick < ticks; tick += 1) fleet.advance();
  return recordsIn(batchOf(fleet.gpus, fleet.exported, dueMs));
}

/** The records of the simulator that exporters have read: by device and metric, each value that differs. */
function differences(
  expected: readonly MergedRecord[],
  readings: readonly Reading[],
  {
    without = [],
    within = {},
  }: { readonly without?: readonly string[]; readonly within?: Record<string, number> } = {},
): unknown[] {
  const found = new Map(readings.flatMap(({ records }) => records).map((record) => [record.gpu.uuid, record]));
  const compared = expected.flatMap(({ gpu, metrics: values, custom, occupants }) => {
    const record = found.get(gpu.uuid);
    const { hostname, gpuId, modelName, clusterId } = record?.gpu ?? {};
    const identity = { hostname, gpuId, modelName, clusterId, occupants: record?.occupants };
    const right = { hostname: gpu.hostname, gpuId: gpu.gpuId, modelName: gpu.modelName, clusterId: "c1", occupants };
    const differs = [...values, ...custom].filter(([name, value]) => {
      if (without.includes(name)) return false;
      const given = record?.metrics.get(name) ?? record?.custom.get(name) ?? NaN;
      return !(Math.abs(given - value) <= (within[name] ?? 0));
    });
    return [
      ...differs.map(([name]) => `${gpu.uuid} ${name}`),
      ...(Bun.deepEquals(identity, right) ? [] : [identity, right]),
    ];
  });
  const more = [...found.keys()].filter((uuid) => !expected.some(({ gpu }) => gpu.uuid === uuid));
  return [...compared, ...more];
}

/** dcgm-exporter 4.9 prints whole joules, and seconds with six decimals. */
const printed49 = { total_energy_mj: 500, thermal_violation_ns: 500 };
const everything = { mig: 0.4, timeSlicing: 0.2, vgpu: 0.2, series: 0.5 };

describe("a scrape of a simulated exporter gives the records of the simulator's own batch", () => {
  for (const [dialect, spoken, within] of [
    ["4.8", "dcgm", {}],
    ["4.9", "dcgm-4.9", printed49],
  ] as const) {
    test(`${dialect}: with all metrics, also of MIG instances, users of shared GPUs and labelled series`, async () => {
      for (const shares of [noShares, everything]) {
        const { readings } = await read(dialect, { shares });
        expect(differences(simulated(shares), readings, { within })).toEqual([]);
        expect(readings.map((reading) => [reading.dialect, reading.rejections])).toEqual(
          readings.map(() => [spoken, []]),
        );
      }
    });
  }

  test("4.6: with all metrics; the utilization as soon as a value above 1 tells that it is a percentage", async () => {
    const { readings } = await read("4.6");
    expect(differences(simulated(), readings, { within: printed49 })).toEqual([]);
    expect(readings.map((reading) => [reading.dialect, reading.rejections])).toEqual(
      readings.map(() => ["dcgm-4.9", []]),
    );
  });

  test("nvidia_gpu_exporter: with what nvidia-smi has, but no workloads", async () => {
    const expected = simulated().map((record) => ({ ...record, occupants: [] }));
    const { readings } = await read("nvidia_gpu_exporter");
    const without = ["xid_error", "pcie_replay_total", "tensor_active", "dram_active", "thermal_violation_ns"];
    expect(differences(expected, readings, { without })).toEqual([]);
    expect(readings.map(({ dialect, rejections }) => [dialect, rejections])).toEqual(
      readings.map(() => ["nvidia_gpu_exporter", []]),
    );
  });

  test("nvidia_gpu_exporter: MIG instances have memory and activity", async () => {
    const shares = { ...noShares, mig: 1 };
    const instances = simulated(shares).filter(({ gpu }) => gpu.uuid.includes(":mig:"));
    expect(instances.length).toBeGreaterThan(0);
    const { readings } = await read("nvidia_gpu_exporter", { shares });
    const found = new Map(
      readings.flatMap(({ records }) => records).map((record) => [record.gpu.uuid, record.metrics]),
    );
    const names = ["memory_used_mb", "memory_free_mb", "tensor_active"];
    for (const { gpu, metrics: values } of instances) {
      expect(names.map((name) => found.get(gpu.uuid)?.get(name))).toEqual(names.map((name) => values.get(name)));
    }
  });

  test("amd: with what AMD's exporter has", async () => {
    const { readings } = await read("amd");
    const without = [
      "enc_utilization",
      "dec_utilization",
      "xid_error",
      "tensor_active",
      "dram_active",
      "thermal_violation_ns",
    ];
    expect(differences(simulated(), readings, { without })).toEqual([]);
    expect(readings.map(({ dialect, rejections }) => [dialect, rejections])).toEqual(readings.map(() => ["amd", []]));
  });
});

test("amd: each part of a divided GPU is a device with its memory and workload; the first has the values of the board", async () => {
  const shares = { ...noShares, mig: 1 };
  const expected = simulated(shares);
  const { readings } = await read("amd", { shares });
  const found = new Map(readings.flatMap(({ records }) => records).map((record) => [record.gpu.uuid, record]));
  const boards = expected.filter(({ gpu }) => !gpu.uuid.includes(":mig:"));
  expect(boards.some(({ gpu }) => found.has(gpu.uuid))).toBe(true);
  for (const { gpu, metrics: values } of boards.filter((board) => !found.has(board.gpu.uuid))) {
    const parts = expected.filter((record) => record.gpu.uuid.startsWith(`${gpu.uuid}:mig:`));
    const serial = `AMD-${gpu.uuid.slice(-12)}`;
    const read = parts.map((_, part) => found.get(part === 0 ? serial : `${serial}-${part}`));
    const memory = "memory_used_mb";
    expect(read.map((record) => [record?.metrics.get(memory), record?.occupants])).toEqual(
      parts.map((part) => [part.metrics.get(memory), part.occupants]),
    );
    expect(read.map((record) => record?.metrics.get("power_draw"))).toEqual(
      parts.map((_, part) => (part === 0 ? values.get("power_draw") : undefined)),
    );
    expect(read.map((record) => record?.gpu.modelName)).toEqual(parts.map(() => gpu.modelName));
  }
  const places = [...found.values()].map(({ gpu }) => `${gpu.hostname} ${gpu.gpuId}`);
  expect(new Set(places).size).toBe(places.length);
});

test("dcgm-exporter prints 26 metrics of each GPU, integers without a point and doubles with six decimals", async () => {
  const { readings, texts } = await read("4.8");
  expect(exporterMetrics).toHaveLength(26);
  const names = exporterMetrics.map((metric) => metrics[metricIndexOf(metric) ?? -1]?.name).sort();
  for (const { records } of readings) {
    for (const record of records) expect([...record.metrics.keys()].sort()).toEqual(names as string[]);
  }
  const values = (name: string): string[] =>
    (texts[0]?.match(new RegExp(`^${name}\\{.* .*`, "gm")) ?? []).map((line) => line.split(" ").at(-1) ?? "");
  expect(values("DCGM_FI_DEV_GPU_TEMP").join()).toMatch(/^(\d+,?)+$/);
  expect(values("DCGM_FI_DEV_POWER_USAGE").join()).toMatch(/^(\d+\.\d{6},?)+$/);
  expect(texts[0]).toContain("# TYPE DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL counter\n");
});

test("an exporter compresses its answer if it is asked to", async () => {
  const exporters = serveExporters({ ...fleetOptions, dialect: "4.9", per: "port", port: 0, clock: new ManualClock() });
  stops.push(() => exporters.stop());
  const url = `http://${exporters.targets[1]?.address}/metrics`;
  const [plain, compressed] = await Promise.all(
    ["identity", "gzip"].map((encoding) => fetch(url, { headers: { "accept-encoding": encoding } })),
  );
  expect(plain?.headers.get("content-encoding")).toBeNull();
  expect(compressed?.headers.get("content-encoding")).toBe("gzip");
  const text = await plain?.text();
  expect(text).toContain('hostname="sim-dgx-002"');
  expect(await compressed?.text()).toBe(text ?? "");
});
