import { expect, test } from "bun:test";
import { readChosenFaults } from "../../src/pipeline/source/simulated/faults/chosen-faults.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";

const fleetOf = (seed: number, list: readonly string[], hosts = 8): SimulatedFleet => {
  const chosenFaults = readChosenFaults(list) ?? [];
  return new SimulatedFleet({ hosts, gpusPerHost: 8, seed, intervalMs: 10_000, clusterId: "sim", chosenFaults });
};

test("random and none are no faults; others have the time that is said, or begin after a minute and last", () => {
  expect(readChosenFaults(["random"])).toBeUndefined();
  expect(readChosenFaults(["none"])).toEqual([]);
  const times = readChosenFaults(["device.gone", "host.down@2m", "memory.full@30s-1h"])?.map(
    ({ name, fromSeconds, toSeconds }) => [name, fromSeconds, toSeconds],
  );
  expect(times).toEqual([
    ["device.gone", 60, Infinity],
    ["host.down", 120, Infinity],
    ["memory.full", 30, 3600],
  ]);
});

test("the seed chooses what a fault strikes: a host of its own each", () => {
  const list = ["device.gone", "host.down", "nvidia.xid.job", "memory.full"];
  const struckOf = (seed: number): string[] =>
    fleetOf(seed, list).struck.map(({ host, gpus }) => [host.hostname, ...gpus.map(({ gpu }) => gpu.gpuId)].join());
  expect(struckOf(1)).toEqual(struckOf(1));
  expect(struckOf(1)).not.toEqual(struckOf(2));
  expect(new Set(struckOf(1).map((text) => text.split(",")[0])).size).toBe(4);
  expect(struckOf(1).map((text) => text.split(",").length - 1)).toEqual([1, 8, 2, 1]);
});

test("a fault begins and ends at its times", () => {
  const fleet = fleetOf(1, ["memory.row-remap.failed@50s-100s"]);
  const seen: number[] = [];
  for (let tick = 1; tick <= 15; tick += 1) {
    fleet.advance();
    const failed = fleet.gpus.filter((gpu) => gpu.readings().DCGM_FI_DEV_ROW_REMAP_FAILURE === 1).length;
    if (failed > 0) seen.push(tick);
    expect(failed).toBeLessThan(2);
  }
  expect(seen).toEqual([5, 6, 7, 8, 9]);
});

test.each(["0s-10s", "1s-11s", "10s-20s"])(
  "a fault of %s begins after the first reading, so that it is new, and lasts as long",
  (time) => {
    const fleet = fleetOf(1, [`nvidia.xid.reset@${time}`, `device.gone@${time}`]);
    const seen = Array.from({ length: 4 }, () => {
      fleet.advance();
      const silent = fleet.gpus.filter((gpu) => gpu.isSilent).length;
      return [fleet.gpus.filter((gpu) => gpu.readings().DCGM_FI_DEV_XID_ERRORS === 119).length, silent];
    });
    expect(seen[0]).toEqual([0, 0]);
    expect(seen[1]).toEqual([1, 1]);
    expect(seen[2]?.[1]).toBe(0);
  },
);

test("what is not usable is said, with what would be right", () => {
  expect(() => readChosenFaults(["device.gon"])).toThrow(
    'SIM_FAULTS: there is no fault "device.gon"; expected random, none, or the name of a rule that has a fault, such as device.gone',
  );
  expect(() => readChosenFaults(["device.gone@5m-1m"])).toThrow(
    'SIM_FAULTS: the time of "device.gone@5m-1m" is not usable; expected for example device.gone@60s or device.gone@10m-40m',
  );
  expect(() => readChosenFaults(["device.gone", "none"])).toThrow('there is no fault "none"');
  expect(() => fleetOf(1, ["device.gone", "host.down"], 1)).toThrow("2 faults need as many hosts; the fleet has 1");
});
