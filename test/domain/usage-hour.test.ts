import { expect, test } from "bun:test";
import { noOccupants, type Occupants } from "../../src/domain/gpu.ts";
import { holderLabelsOf, noLabels } from "../../src/domain/usage/labels.ts";
import { partsPerMs, shareOfGpu } from "../../src/domain/usage/mig-slices.ts";
import { packUsage, unpackUsage } from "../../src/domain/usage/packed-usage.ts";
import { usageOfBlock } from "../../src/domain/usage/usage-of-block.ts";
import { usageThresholdsDefault } from "../../src/domain/usage/usage-hour.ts";
import { hourMs } from "../../src/domain/time-range.ts";

const hour = Date.UTC(2026, 0, 5, 10);
const held: Occupants = [{ container: "c", pod: "p", namespace: "n" }];

/** The usage of records, by second of the hour. */
function usageOf(
  seconds: readonly number[],
  metrics: Readonly<Record<string, readonly number[]>>,
  runs: readonly (readonly [records: number, occupants: Occupants])[] = [[seconds.length, held]],
) {
  return usageOfBlock(
    {
      timesMs: Float64Array.from(seconds, (second) => hour + second * 1000),
      metrics: new Map(Object.entries(metrics).map(([name, values]) => [name, Float64Array.from(values)])),
      runs: runs.map(([records, occupants]) => ({ records, occupants, attributesId: null })),
    },
    { thresholds: usageThresholdsDefault, labelsOf: () => noLabels },
  );
}

test("a record counts until the next one, at most for three times the usual time between records, and the rest is unknown", () => {
  const { spans, limitMs } = usageOf([0, 100, 200, 300, 1300, 1400], { gpu_utilization: [50, 50, 0, 50, 50, 50] });
  expect(limitMs).toBe(300_000);
  expect(
    spans.map(({ holder, lengthMs, activeMs, idleMs }) => [holder?.occupants, lengthMs, activeMs, idleMs]),
  ).toEqual([
    [held, 600_000, 500_000, 100_000],
    [undefined, 700_000, 0, 0],
    [held, 100_000, 100_000, 0],
  ]);
});

test("rare records count for at most 15 minutes, a single one for one", () => {
  expect(usageOf([0, 1200, 2400], {}).limitMs).toBe(900_000);
  expect(usageOf([0], {}).limitMs).toBe(60_000);
  expect(usageOf([0, 1, 2, 3], {}).limitMs).toBe(60_000);
});

test("a scrape that becomes several records counts by the time between scrapes", () => {
  const seconds = [0, 0.01, 0.02, 300, 300.01, 300.02, 600, 600.01, 600.02, 900];
  const active = seconds.map((second) => (Number.isInteger(second) ? 80 : NaN));
  const { limitMs, spans } = usageOf(seconds, { gpu_utilization: active });
  expect(limitMs).toBe(899_940);
  expect(spans.map(({ activeMs }) => activeMs)).toEqual([900_000]);
});

test("energy is the increase of the counter; after a reset it begins at 0; without a counter it follows from power", () => {
  const counted = usageOf([0, 10, 20, 30], {
    total_energy_mj: [1_000_000, 4_000_000, 0, 500_000],
    power_draw: [700, 700, 700, 700],
    gpu_utilization: [90, 0, 0, 90],
  });
  expect([counted.energyBy, counted.spans[0]?.energyJoules, counted.spans[0]?.idleJoules]).toEqual([
    "counter",
    3500,
    500,
  ]);
  // no GPU can have used 277 kWh in ten seconds: a file that begins again
  const again = usageOf([0, 10, 20, 30], {
    total_energy_mj: [1_000_000_000_000, 1_000_003_000_000, 999_000_000_000, 999_002_000_000],
    power_draw: [100, 100, 100, 100],
  });
  expect(again.spans[0]?.energyJoules).toBe(3000 + 1000 + 2000);
  const measured = usageOf([0, 10, 20], { power_draw: [700, 100, 0], gpu_utilization: [90, 0, 0] });
  expect([measured.energyBy, measured.spans[0]?.energyJoules, measured.spans[0]?.idleJoules]).toEqual([
    "power",
    8000,
    1000,
  ]);
});

test("effective time is measured by tensor activity, or else by SM activity, and active time of a MIG instance by its engine", () => {
  const tensor = usageOf([0, 10, 20], { tensor_active: [0.5, 0.01, 0.5], sm_active: [0.9, 0.9, 0.9] });
  expect([tensor.effectiveBy, tensor.spans[0]?.effectiveMs]).toEqual(["tensor", 10_000]);
  const sm = usageOf([0, 10, 20], { sm_active: [0.9, 0.9, 0.9], gr_engine_active: [0.01, 0.3, 0.3] });
  expect([sm.effectiveBy, sm.spans[0]?.effectiveMs, sm.spans[0]?.activeMs]).toEqual(["sm", 20_000, 10_000]);
  expect(usageOf([0, 10], {}).spans[0]).toMatchObject({ lengthMs: 10_000, activeMs: 0, idleMs: 0, effectiveMs: 0 });
});

test("usage is the same after it was packed and unpacked", () => {
  const usages = [
    usageOf([0, 10, 200, 3599.999], { gpu_utilization: [1, 50, NaN, 3], power_draw: [NaN, 100.125, 3, 9] }),
    usageOf([5], {}, [[1, noOccupants]]),
    usageOf([7, 8, 9], { total_energy_mj: [NaN, 5000.5, 7e15], memory_used_mb: [1, 2, 3] }, [
      [1, held],
      [2, noOccupants],
    ]),
  ];
  const devices = usages.map(({ ...usage }, index) => ({ gpuKey: 2 ** 52 + index, usage }));
  const unpacked = unpackUsage(packUsage(devices, hour), hour);
  const shown = ({ energy, ...usage }: (typeof usages)[number]) => ({
    ...usage,
    energy: energy && { first: energy.first, last: energy.last },
  });
  expect(unpacked.map(({ gpuKey, usage }) => [gpuKey, shown(usage)])).toEqual(
    devices.map(({ gpuKey, usage }) => [gpuKey, shown(usage)]),
  );
  expect(() => unpackUsage({ ...packUsage(devices, hour), spans: 1 }, hour)).toThrow();
  expect(hour + hourMs).toBeGreaterThan(usages[0]?.lastMs ?? NaN);
});

test("jobs and users are found in the labels of batch systems, whatever their case", () => {
  expect(holderLabelsOf({ HPC_JOB: "4711", userid: "ada", job: "dcgm" })).toEqual({ job: "4711", user: "ada" });
  expect(holderLabelsOf({ JOB_ID: "0", job: "dcgm", USER: "" })).toBe(noLabels);
});

test("a MIG instance has the share of its compute slices", () => {
  const of = (uuid: string, modelName: string, profile = "") => shareOfGpu({ uuid, modelName, profile });
  const share = (profile: string, model = "NVIDIA H100") => of(`GPU-1:mig:3:${profile}`, model).parts / partsPerMs;
  expect(share("3g.40gb")).toBe(3 / 7);
  expect(share("1c.3g.40gb")).toBe(1 / 7);
  expect(share("2g.12gb", "NVIDIA A30")).toBe(2 / 4);
  expect(of("GPU-1:mig:3:", "NVIDIA H100")).toEqual({ parts: partsPerMs / 7, isSized: false });
  expect(of("GPU-1:mig:3:", "NVIDIA H100 MIG 4g.40gb")).toEqual({ parts: (4 * partsPerMs) / 7, isSized: true });
  expect(of("MIG-1", "NVIDIA H100", "1g.10gb+me")).toEqual({ parts: partsPerMs / 7, isSized: true });
  expect(of("MIG-1", "NVIDIA H100")).toEqual({ parts: partsPerMs / 7, isSized: false });
  expect(of("GPU-1", "NVIDIA H100 MIG 4g.40gb")).toEqual({ parts: partsPerMs, isSized: true });
});
