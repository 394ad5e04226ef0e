import { expect, test } from "bun:test";
import { metricIndexOf, metrics } from "../../src/domain/metrics.ts";
import type { SimulatedGpu } from "../../src/pipeline/source/simulated/simulated-gpu.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { type Readings, simulatedMetrics } from "../../src/pipeline/source/simulated/simulated-metrics.ts";

/** One GPU at one tick. */
interface Seen extends Readings {
  readonly pod: string;
  readonly namespace: string;
  readonly isSilent: boolean;
}

function makeFleet(seed: number, hosts = 31): SimulatedFleet {
  return new SimulatedFleet({ hosts, gpusPerHost: 8, seed, intervalMs: 1000, clusterId: "sim" });
}

function see(gpu: SimulatedGpu): Seen {
  const { pod, namespace } = gpu.workload;
  return { ...gpu.readings(), pod, namespace, isSilent: gpu.isSilent };
}

/** The readings of each GPU, tick by tick. */
function watch(fleet: SimulatedFleet, ticks: number): Seen[][] {
  const seen: Seen[][] = fleet.gpus.map(() => []);
  for (let tick = 0; tick < ticks; tick += 1) {
    fleet.advance();
    fleet.gpus.forEach((gpu, index) => seen[index]?.push(see(gpu)));
  }
  return seen;
}

/** Each GPU's readings at each pair of successive ticks. */
function* steps(history: Iterable<Seen[]>): Generator<readonly [before: Seen, after: Seen]> {
  for (const ofGpu of history) {
    for (let tick = 1; tick < ofGpu.length; tick += 1) yield [ofGpu[tick - 1] as Seen, ofGpu[tick] as Seen];
  }
}

const tenMinutes = watch(makeFleet(1), 600);

test("the same seed gives the same history, and another seed gives another history", () => {
  const history = (seed: number): string => JSON.stringify(watch(makeFleet(seed, 4), 60));
  expect(history(7)).toBe(history(7));
  expect(history(7)).not.toBe(history(8));
});

test("a GPU keeps its identity when the fleet grows", () => {
  const small = makeFleet(3, 2).gpus.map(({ gpu }) => gpu);
  const large = makeFleet(3, 5).gpus.map(({ gpu }) => gpu);
  expect(large.slice(0, small.length)).toEqual(small);
  expect(new Set(large.map(({ uuid }) => uuid)).size).toBe(40);
  expect(small[9]).toMatchObject({ hostname: "sim-dgx-002", gpuId: 1, device: "nvidia1", clusterId: "sim" });
  expect(small[0]?.uuid).toMatch(/^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test("the GPUs of a host have one model and one driver; the fleet has two models", () => {
  const gpus = makeFleet(1).gpus.map(({ gpu }) => gpu);
  const perHost = new Set(
    gpus.map(({ hostname, modelName, driverVersion }) => [hostname, modelName, driverVersion].join()),
  );
  expect(perHost.size).toBe(31);
  expect(new Set(gpus.map(({ modelName }) => modelName)).size).toBe(2);
});

test("every value is within its metric's range, and rounded as DCGM rounds it", () => {
  const ranges = simulatedMetrics.map((name) => ({ ...metrics[metricIndexOf(name) ?? -1], name }));
  for (const seen of tenMinutes.flat()) {
    for (const { name, min, max, unit } of ranges) {
      const value = seen[name];
      if (!(value >= Number(min) && value <= Number(max))) throw new Error(`${name} ${value} is out of range`);
      const digits = { watts: 3, ratio: 6 }[String(unit)] ?? 0;
      if (Number(value.toFixed(digits)) !== value) throw new Error(`${name} ${value} has more than ${digits} digits`);
    }
  }
});

test("a GPU's used and free memory always have the same sum", () => {
  for (const [before, after] of steps(tenMinutes)) {
    const total = ({ DCGM_FI_DEV_FB_USED: used, DCGM_FI_DEV_FB_FREE: free }: Seen): number => used + free;
    if (total(before) !== total(after)) throw new Error(`${total(before)} MiB became ${total(after)} MiB`);
  }
});

test("energy only rises, at the rate of the power, until a repair resets the GPU", () => {
  for (const [before, after] of steps(tenMinutes)) {
    if (before.DCGM_FI_DEV_XID_ERRORS > 0 && after.DCGM_FI_DEV_XID_ERRORS === 0) continue;
    const joules = (after.DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION - before.DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION) / 1000;
    if (Math.abs(joules - after.DCGM_FI_DEV_POWER_USAGE) > 0.01) throw new Error(`${joules} J in a second`);
  }
});

test("a fleet that starts has used no energy yet: after a restart, a counter says what was used since", () => {
  // a counter that is smaller than before has begun at 0, and counts as a whole: hundreds of kWh a GPU were told as used
  for (const [first] of tenMinutes) expect(first?.DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION).toBeLessThan(1_000_000);
});

test("temperature lags behind load: it changes by at most 3 degrees a second, and usually still rises after 15 s", () => {
  for (const [before, after] of steps(tenMinutes)) {
    const change = Math.abs(after.DCGM_FI_DEV_GPU_TEMP - before.DCGM_FI_DEV_GPU_TEMP);
    if (change > 3) throw new Error(`${change} degrees in a second`);
  }
  const starts = tenMinutes.flatMap((ofGpu) =>
    ofGpu.flatMap((seen, tick) => {
      const firstTicks = ofGpu.slice(tick, tick + 40);
      const begins = ofGpu[tick - 1]?.pod === "" && seen.namespace === "training";
      return begins && firstTicks.length === 40 && firstTicks.every(({ pod }) => pod === seen.pod) ? [firstTicks] : [];
    }),
  );
  expect(starts.length).toBeGreaterThan(0);
  const warming = starts.filter(
    (firstTicks) => (firstTicks[39]?.DCGM_FI_DEV_GPU_TEMP ?? 0) > (firstTicks[14]?.DCGM_FI_DEV_GPU_TEMP ?? 0),
  );
  expect(warming.length / starts.length).toBeGreaterThan(0.8);
});

test("jobs start and end, some use several hosts, and some GPUs are idle", () => {
  const podsAt = (tick: number): Set<string> => new Set(tenMinutes.map((ofGpu) => ofGpu[tick]?.pod ?? ""));
  const [first, last] = [podsAt(0), podsAt(599)];
  expect([...first].some((pod) => pod !== "" && !last.has(pod))).toBe(true);
  expect([...last].some((pod) => pod !== "" && !first.has(pod))).toBe(true);
  expect([...first].some((pod) => pod.endsWith("-1"))).toBe(true);
  for (const tick of [0, 300, 599]) {
    const idle = tenMinutes.filter((ofGpu) => ofGpu[tick]?.pod === "").length / tenMinutes.length;
    expect(idle).toBeGreaterThan(0.05);
    expect(idle).toBeLessThan(0.5);
  }
});

test("training has a high load with dips; notebooks use memory but compute little", () => {
  const utilization = (namespace: string): number[] =>
    tenMinutes.flat().flatMap((seen) => (seen.namespace === namespace ? [seen.DCGM_FI_DEV_GPU_UTIL] : []));
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(mean(utilization("training"))).toBeGreaterThan(70);
  expect(utilization("training").some((percent) => percent < 10)).toBe(true);
  expect(mean(utilization("notebooks"))).toBeLessThan(15);
  const notebookMemory = tenMinutes.flat().filter(({ namespace }) => namespace === "notebooks");
  expect(notebookMemory.some(({ DCGM_FI_DEV_FB_USED: used }) => used > 1000)).toBe(true);
});

test("GPUs count the time during which they are too hot, and some of them lower their clocks under load", () => {
  const throttled = [...steps(tenMinutes)].filter(
    ([before, after]) => after.DCGM_FI_DEV_THERMAL_VIOLATION > before.DCGM_FI_DEV_THERMAL_VIOLATION,
  );
  expect(throttled.length).toBeGreaterThan(0);
  for (const [before, after] of throttled) {
    expect(after.DCGM_FI_DEV_THERMAL_VIOLATION - before.DCGM_FI_DEV_THERMAL_VIOLATION).toBe(1e9);
    expect(after.DCGM_FI_DEV_GPU_TEMP).toBeGreaterThanOrEqual(81);
  }
  expect(throttled.some(([, after]) => after.pod !== "" && (after.DCGM_FI_DEV_SM_CLOCK % 1980) % 1410 !== 0)).toBe(
    true,
  );
});

test("at least one training job has a straggler: a GPU whose clock is about 70% of the clock of the job's fastest GPU", () => {
  const clocksOfPods = new Map<string, Set<number>>();
  for (const ofGpu of tenMinutes) {
    const { pod, namespace, DCGM_FI_DEV_SM_CLOCK: clock } = ofGpu[0] as Seen;
    if (namespace === "training") clocksOfPods.set(pod, (clocksOfPods.get(pod) ?? new Set()).add(clock));
  }
  const ratios = [...clocksOfPods.values()].map((clocks) => Math.min(...clocks) / Math.max(...clocks));
  expect(ratios.some((ratio) => ratio > 0.65 && ratio < 0.75)).toBe(true);
});

test("every XID error is read, also of a GPU that then falls silent, and its repair resets the counters of the GPU", () => {
  const raised: [uuid: string, code: number][] = [];
  const fleet = makeFleet(1);
  for (const gpu of fleet.gpus) {
    const raise = gpu.raiseXid.bind(gpu);
    gpu.raiseXid = (code) => {
      raised.push([gpu.gpu.uuid, code]);
      raise(code);
    };
  }
  const [shown, reset]: [string[], number[]] = [[], []];
  const last = new Map<SimulatedGpu, Readings>();
  for (let tick = 0; tick < 5400; tick += 1) {
    fleet.advance();
    for (const gpu of fleet.gpus) {
      if (gpu.isSilent) continue;
      const before = last.get(gpu)?.DCGM_FI_DEV_XID_ERRORS ?? 0;
      const readings = gpu.readings();
      const xid = readings.DCGM_FI_DEV_XID_ERRORS;
      if (xid !== before && xid !== 0) shown.push(`${gpu.gpu.uuid} ${xid}`);
      if (xid === 0 && before !== 0) reset.push(readings.DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION);
      last.set(gpu, readings);
    }
  }
  const codes = new Set(raised.map(([, code]) => code));
  expect(codes.has(79)).toBe(true);
  expect(raised.length).toBeGreaterThan(10);
  expect(shown.sort()).toEqual(expect.arrayContaining(raised.map(([uuid, code]) => `${uuid} ${code}`)));
  expect(reset.length).toBeGreaterThan(5);
  expect(Math.max(...reset)).toBeLessThan(1e7);
});

test("GPUs fall silent and report again, and XID errors occur", () => {
  const changes = [...steps(tenMinutes)];
  expect(changes.some(([before, after]) => !before.isSilent && after.isSilent)).toBe(true);
  expect(changes.some(([before, after]) => before.isSilent && !after.isSilent)).toBe(true);
  expect(tenMinutes.flat().some(({ DCGM_FI_DEV_XID_ERRORS: xid }) => xid > 0)).toBe(true);
});
