import { expect, test } from "bun:test";
import { idleNow } from "../../src/dashboard/model/idle-now.ts";
import { readSearch, searchFor } from "../../src/dashboard/model/search.ts";
import { fleetOf, startMs } from "./fleet.ts";

const held = (namespace: string, pod: string, container = "main") => ({ namespace, pod, container });

/** Two pods of a namespace, of which one shares a GPU with another team; devices that are free, stale, and do not say what they do. */
function fleet() {
  const devices = ["0", "1", "2", "3", "4", "5", "6"].map((index) => ({ index }));
  const data = fleetOf(
    [devices[0] ?? {}, { gpu_utilization: 0, power_draw: 60 }, 100],
    [devices[1] ?? {}, { gpu_utilization: 4.9, power_draw: 70 }, 100],
    [devices[2] ?? {}, { gpu_utilization: 5, power_draw: 300 }, 100],
    [devices[3] ?? {}, { gpu_utilization: 0 }, 100],
    [devices[4] ?? {}, { gpu_utilization: 0, power_draw: 60 }, 100],
    [devices[5] ?? {}, { gpu_utilization: 0, power_draw: 60 }, 0],
    [devices[6] ?? {}, { temperature: 30 }, 100],
  );
  const train = [held("ml", "train-0"), held("ml", "train-0", "sidecar")];
  data.holders = [train, train, train, [held("ml", "notebook"), held("vision", "", "box")], [], train, train];
  return data;
}

test("holders of idle devices are those of devices that report now, are held, and are used less than 5 %", () => {
  const since = new Map([
    ["GPU-host-a-0", startMs],
    ["GPU-host-a-1", startMs - 60_000],
  ]);
  const { holders, ...counts } = idleNow(fleet(), {}, since);
  expect(counts).toEqual({ held: 5, idle: 3, unmeasured: 1 });
  expect(holders).toEqual([
    { namespace: "ml", pod: "train-0", idle: [0, 1], held: 4, powerWatts: 130, sinceMs: startMs - 60_000 },
    { namespace: "ml", pod: "notebook", idle: [3], held: 1, powerWatts: undefined, sinceMs: undefined },
    { namespace: "vision", pod: "box", idle: [3], held: 1, powerWatts: undefined, sinceMs: undefined },
  ]);
});

test("MIG instances are used as much as their graphics engine is active", () => {
  const data = fleetOf(
    [{ index: "0" }, { gr_engine_active: 0.04 }, 100],
    [{ index: "1" }, { gr_engine_active: 0.6 }, 100],
  );
  data.holders = [[held("ml", "train-0")], [held("ml", "train-0")]];
  const { holders, ...counts } = idleNow(data, {}, new Map());
  expect([holders.map(({ idle }) => idle), counts]).toEqual([[[0]], { held: 2, idle: 1, unmeasured: 0 }]);
});

test("a namespace and a pod choose holders by their whole names", () => {
  const podsOf = (wanted: Parameters<typeof idleNow>[1]): string[] =>
    idleNow(fleet(), wanted, new Map()).holders.map(({ pod }) => pod);
  expect(podsOf({ namespace: "ml" })).toEqual(["train-0", "notebook"]);
  expect(podsOf({ namespace: "ml", pod: "notebook" })).toEqual(["notebook"]);
  expect(podsOf({ namespace: "m" })).toEqual([]);
});

test("the search for a holder finds its devices and those of no namespace with a longer name", () => {
  const texts = { host: "a", model: "h100", namespace: "ml ml-training", pod: "train (1) x", uuid: "gpu" };
  const finds = (names: Parameters<typeof searchFor>[0]): boolean | string => {
    const read = readSearch(searchFor(names) ?? "(");
    return "problem" in read ? read.problem : read.search(texts);
  };
  expect(finds({ namespace: "ML" })).toBe(true);
  expect(finds({ namespace: "ml-train" })).toBe(false);
  expect(finds({ namespace: "ml", pod: "train (1) x" })).toBe(true);
  expect(finds({ namespace: "ml", pod: "train (1" })).toBe(false);
  expect(searchFor({ namespace: 'a"b' })).toBeUndefined();
});
