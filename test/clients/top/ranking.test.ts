import { expect, test } from "bun:test";
import { isStale } from "../../../scripts/telemetry/top/device.ts";
import { Fleet } from "../../../scripts/telemetry/top/fleet.ts";
import { matching, sorted, sortColumns } from "../../../scripts/telemetry/top/ranking.ts";
import { devicesOf, nowMs, recordOf } from "./devices.ts";

const mig = (uuid: string, parent_uuid: string, mig_instance_id: string, gpu_utilization: number) =>
  recordOf(uuid, { parent_uuid, mig_instance_id, gpu_utilization, gpu_id: "10" });
const devices = devicesOf(
  recordOf("GPU-b", { gpu_id: "10" }),
  mig("MIG-b10", "GPU-b", "10", 80),
  mig("MIG-b2", "GPU-b", "2", 70),
  recordOf("GPU-a", { gpu_id: "2", gpu_utilization: 75 }),
  recordOf("GPU-c", { hostname: "host-b", gpu_utilization: 5, power_draw: 0, pod: "p", namespace: "Team", age: 9 }),
  recordOf("GPU-d", { hostname: "host-b", gpu_id: "1" }),
);
const order = (...args: Parameters<typeof sorted> extends [unknown, ...infer Rest] ? Rest : never) =>
  sorted(devices, ...args).map(({ uuid }) => uuid);

test("devices are in the order of hosts and indices, as numbers; MIG instances after their GPU, also backwards", () => {
  expect(order("gpu", false)).toEqual(["GPU-a", "GPU-b", "MIG-b2", "MIG-b10", "GPU-c", "GPU-d"]);
  expect(order("gpu", true)).toEqual(["GPU-d", "GPU-c", "GPU-b", "MIG-b2", "MIG-b10", "GPU-a"]);
});

test("measurements begin with the highest, and absent values are last in both directions", () => {
  expect(order("util", false)).toEqual(["GPU-b", "MIG-b2", "MIG-b10", "GPU-a", "GPU-c", "GPU-d"]);
  expect(order("util", true)).toEqual(["GPU-c", "GPU-b", "MIG-b2", "MIG-b10", "GPU-a", "GPU-d"]);
  expect(order("power", false)[0]).toBe("GPU-c");
  expect(order("power", true)[0]).toBe("GPU-c");
  expect([order("age", false)[0], order("holder", false)[0], order("holder", true)[0]]).toEqual([
    "GPU-c",
    "GPU-c",
    "GPU-c",
  ]);
});

test("every order has all devices", () => {
  for (const column of sortColumns) {
    for (const isReversed of [false, true])
      expect(order(column, isReversed).toSorted()).toEqual(order("gpu", false).toSorted());
  }
});

test("the filter finds devices that have all its words, in any case", () => {
  const found = (filter: string) => matching(devices, filter).map(({ uuid }) => uuid);
  expect(found("team HOST-B")).toEqual(["GPU-c"]);
  expect(found(" h100  mig-b ")).toEqual(["MIG-b2", "MIG-b10"]);
  expect(found("team host-a")).toEqual([]);
  expect(found("")).toHaveLength(6);
});

test("a record is stale after three intervals of its device, and after 60 s while the interval is not known", () => {
  const fleet = new Fleet();
  fleet.replace([recordOf("GPU-1", { age: 70, temperature: 40 })]);
  const [device] = fleet.devices;
  if (device === undefined) throw new Error("the fleet has no device");
  const staleAt = (age: number) => isStale(device, device.atMs + age * 1000);
  expect([staleAt(60), staleAt(60.1)]).toEqual([false, true]);
  fleet.update({
    type: "telemetry_update",
    gpu_uuid: "GPU-1",
    timestamp: new Date(nowMs - 60_000).toISOString(),
    data: { temperature: 41 },
  });
  expect([staleAt(30), staleAt(30.1)]).toEqual([false, true]);
});

test("of an exporter that spreads its metrics over several instants, each has its newest value, and one that no longer comes is left out", () => {
  const fleet = new Fleet();
  fleet.replace([recordOf("GPU-1", { age: 100, gpu_utilization: 10 })]);
  const update = (age: number, data: Record<string, number>) =>
    fleet.update({
      type: "telemetry_update",
      gpu_uuid: "GPU-1",
      timestamp: new Date(nowMs - age * 1000).toISOString(),
      data,
    });
  for (const [age, utilization] of [
    [70, 20],
    [40, 30],
    [10, 40],
  ] as const) {
    update(age + 29, { temperature: 50, ...(age === 70 && { power_draw: 300 }) });
    update(age, { gpu_utilization: utilization });
  }
  expect(fleet.devices).toMatchObject([
    { utilization: 40, temperature: 50, watts: undefined, trend: [10, 20, 30, 40], intervalMs: 30_000 },
  ]);
});

test("a device keeps its readings when the list is read again, an older record changes nothing, and one that left is not shown", () => {
  const fleet = new Fleet();
  fleet.replace([recordOf("GPU-1", { gpu_utilization: 1, age: 3 }), recordOf("GPU-2")]);
  const update = { type: "telemetry_update", gpu_uuid: "GPU-1", data: { gpu_utilization: 2 } } as const;
  expect(fleet.update({ ...update, timestamp: new Date(nowMs).toISOString() })).toBe(true);
  expect(fleet.update({ ...update, gpu_uuid: "GPU-new", timestamp: new Date(nowMs).toISOString() })).toBe(false);
  fleet.replace([recordOf("GPU-1", { gpu_utilization: 9, age: 2, pod: "p" })]);
  expect(fleet.devices).toMatchObject([{ uuid: "GPU-1", utilization: 2, trend: [1, 2], holder: "p" }]);
});
