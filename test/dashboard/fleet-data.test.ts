import { expect, test } from "bun:test";
import { inOrder } from "../../src/dashboard/model/device-order.ts";
import { viewOf } from "../../src/dashboard/model/device-view.ts";
import { summaryOf } from "../../src/dashboard/model/fleet-summary.ts";
import type { SortKey } from "../../src/dashboard/model/view-state.ts";
import { device, everyone, fleetOf, startMs } from "./fleet.ts";

const second = 1000;

test("a value that a newer record lacks is unknown, and an older record changes nothing", () => {
  const data = fleetOf([{}, { gpu_utilization: 50, temperature: 0 }]);
  const [{ uuid } = device()] = data.devices;
  expect([data.value("gpu_utilization", 0), data.value("temperature", 0), data.value("power_draw", 0)]).toEqual([
    50,
    0,
    NaN,
  ]);
  expect(data.apply({ uuid, timeMs: startMs - second, values: { gpu_utilization: 1 }, holders: undefined })).toBe(true);
  expect(data.value("gpu_utilization", 0)).toBe(50);
  data.apply({ uuid, timeMs: startMs + second, values: { power_draw: 300 }, holders: undefined });
  expect([data.value("gpu_utilization", 0), data.value("power_draw", 0)]).toEqual([NaN, 300]);
  expect(data.apply({ uuid: "GPU-new", timeMs: startMs, values: {}, holders: undefined })).toBe(false);
});

test("the share of memory needs both used and free", () => {
  const data = fleetOf([{}, { memory_used_mb: 20, memory_free_mb: 60 }], [{ index: "1" }, { memory_used_mb: 20 }]);
  expect([data.value("memory_used", 0), data.value("memory_used", 1)]).toEqual([25, NaN]);
});

test("a device is stale once its cluster's newest record is more than a minute newer, until it reports again", () => {
  const data = fleetOf(
    [{ index: "0" }, {}],
    [{ index: "1" }, {}],
    [{ index: "0", hostname: "other", clusterId: "b" }, {}],
  );
  const states = () => [0, 1, 2].map((position) => data.stateOf(position));
  const report = (position: number, afterS: number): void => {
    const uuid = data.devices[position]?.uuid ?? "";
    data.apply({ uuid, timeMs: startMs + afterS * second, values: {}, holders: undefined });
    data.updateStates(startMs + 3600 * second);
  };
  report(0, 60);
  expect(states()).toEqual(["reporting", "reporting", "reporting"]);
  report(0, 61);
  expect(states()).toEqual(["reporting", "stale", "reporting"]);
  expect(data.takeChanged()).toEqual([0, 1]);
  report(1, 61);
  expect(states()).toEqual(["reporting", "reporting", "reporting"]);
  expect([data.takeChanged(), data.takeChanged()]).toEqual([[1], []]);
});

test("a device whose clock is ahead is stale a minute after its last record has arrived", () => {
  const data = fleetOf([{ index: "0" }], [{ index: "1" }]);
  const apply = (position: number, afterS: number, arrivedAtMs?: number) => {
    const uuid = data.devices[position]?.uuid ?? "";
    data.apply({ uuid, timeMs: startMs + afterS * second, values: {}, holders: undefined }, arrivedAtMs);
  };
  data.updateStates(startMs);
  apply(0, 7200, startMs);
  for (const [afterS, state] of [
    [60, "reporting"],
    [61, "stale"],
  ] as const) {
    apply(1, afterS, startMs + afterS * second);
    data.updateStates(startMs + afterS * second);
    expect([0, 1].map((position) => data.stateOf(position))).toEqual([state, "reporting"]);
  }
});

test("the gateway says whether a listed device with a record of the future reports", () => {
  const data = fleetOf([{ index: "0", isReporting: false }], [{ index: "1" }], [{ index: "2" }]);
  data.updateStates(startMs);
  data.devices.forEach(({ uuid }, position) => {
    data.apply({ uuid, timeMs: startMs + (position === 2 ? 0 : 7200 * second), values: {}, holders: undefined });
  });
  data.updateStates(startMs);
  expect([0, 1, 2].map((position) => data.stateOf(position))).toEqual(["stale", "reporting", "reporting"]);
});

test("one device whose clock is ahead does not make the others stale", () => {
  const data = fleetOf([{ index: "0" }, {}, 7200], [{ index: "1" }, {}, 0], [{ index: "2" }, {}, -61]);
  const states = () => [0, 1, 2].map((position) => data.stateOf(position));
  data.updateStates(startMs);
  expect(states()).toEqual(["reporting", "reporting", "stale"]);
  data.updateStates(startMs + 61 * second);
  expect(states()).toEqual(["reporting", "stale", "stale"]);
});

test("a list that is read again keeps what is known of the devices that are still in it", () => {
  const data = fleetOf([{ index: "0" }, { temperature: 40 }], [{ index: "1" }, { temperature: 50 }]);
  data.replaceDevices([device({ hostname: "host-0" }), device({ index: "1", isUnderMaintenance: true })]);
  expect([data.value("temperature", 0), data.value("temperature", 1)]).toEqual([NaN, 50]);
  expect([data.stateOf(0), data.stateOf(1)]).toEqual(["unreported", "maintenance"]);
  expect(data.positionOf("GPU-host-a-0")).toBeUndefined();
});

test("the summary counts only what reporting devices say, and a board's power once for its MIG instances", () => {
  const mig = (index: string, parentUuid: string) => ({ uuid: `${parentUuid}:mig:${index}:1g`, parentUuid });
  const data = fleetOf(
    [{ index: "0" }, { gpu_utilization: 90, power_draw: 300, temperature: 60 }, 61],
    [{ ...mig("1", "GPU-host-a-0") }, { gpu_utilization: 6, power_draw: 300 }, 61],
    [{ ...mig("1", "GPU-silent") }, { power_draw: 250 }, 61],
    [{ ...mig("2", "GPU-silent") }, { power_draw: 250 }, 61],
    [{ hostname: "host-b", index: "0" }, { gpu_utilization: 5, temperature: 70 }, 61],
    [{ hostname: "host-b", index: "1" }, { gpu_utilization: 99, power_draw: 700, temperature: 90 }, 0],
    [{ hostname: "host-b", index: "2", isUnderMaintenance: true }, { gpu_utilization: 99, power_draw: 700 }, 61],
    [{ hostname: "host-b", index: "3" }],
  );
  expect(summaryOf(data, everyone(data))).toEqual({
    ...{ devices: 8, reporting: 5, stale: 1, maintenance: 1, unreported: 1, hosts: 2, busy: 2, measured: 3 },
    ...{ powerWatts: 550, hottest: 4 },
  });
  const nothing = summaryOf(data, Int32Array.of(7));
  expect([nothing.powerWatts, nothing.hottest, nothing.measured]).toEqual([undefined, undefined, 0]);
});

test("a view has the devices that a search finds, and how many each host has", () => {
  const data = fleetOf(
    [{ index: "0" }],
    [{ index: "1" }],
    [{ hostname: "host-b" }],
    [{ hostname: "host-b", clusterId: "x" }],
  );
  const { positions, hostSizes } = viewOf(data, ({ uuid }) => uuid !== "gpu-host-a-0");
  expect([[...positions], hostSizes]).toEqual([
    [1, 2, 3],
    [1, 1, 1],
  ]);
  expect(viewOf(data, () => true).hostSizes).toEqual([2, 1, 1]);
});

test("the table's order: devices without a value come last in both directions, and equal ones stay in the order of the list", () => {
  const data = fleetOf(
    [{ index: "0", model: "B" }, { temperature: 50, power_draw: 1 }, 2],
    [{ index: "1", model: "A" }, { temperature: 70 }, 1],
    [{ index: "2", model: "" }],
    [{ index: "10", model: "A" }, { temperature: 50 }, 3],
  );
  const order = (key: SortKey, isDescending = false): number[] => [
    ...inOrder(data, everyone(data), { key, isDescending }),
  ];
  expect([order("host"), order("host", true)]).toEqual([
    [0, 1, 2, 3],
    [3, 2, 1, 0],
  ]);
  expect([order("temperature"), order("temperature", true)]).toEqual([
    [0, 3, 1, 2],
    [1, 0, 3, 2],
  ]);
  expect([order("power_draw"), order("power_draw", true)]).toEqual([
    [0, 1, 2, 3],
    [0, 1, 2, 3],
  ]);
  expect([order("model"), order("model", true)]).toEqual([
    [1, 3, 0, 2],
    [0, 1, 3, 2],
  ]);
  expect([order("age"), order("age", true)]).toEqual([
    [3, 0, 1, 2],
    [1, 0, 3, 2],
  ]);
  expect(order("index")).toEqual([0, 1, 2, 3]);
  expect(order("holder")).toEqual([0, 1, 2, 3]);
});
