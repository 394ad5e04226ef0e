import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { parse } from "csv-parse/sync";
import { fleetCsv } from "../../scripts/simulate/fleet-csv.ts";
import { parseArguments } from "../../scripts/simulate/arguments.ts";
import { type DeviceShares, noShares } from "../../src/pipeline/source/simulated/devices/device-shares.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";

type Row = Readonly<Record<string, string>>;

const span = { startMs: Date.UTC(2025, 0, 1), intervalMs: 5000, ticks: 60 };

function csvOf(shares: Partial<DeviceShares>, { hosts = 2, gpusPerHost = 8, seed = 3 } = {}): string {
  const options = { hosts, gpusPerHost, seed, intervalMs: span.intervalMs, clusterId: "" };
  const fleet = new SimulatedFleet({ ...options, shares: { ...noShares, ...shares } });
  return Array.from(fleetCsv(fleet, span), ({ text }) => text).join("");
}

function rowsOf(shares: Partial<DeviceShares>): Row[] {
  return parse(csvOf(shares), { columns: true });
}

const labelOf = (row: Row, name: string): string | undefined =>
  new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(row["labels_raw"] ?? "")?.[1];

/** The rows of each GPU, instant and metric. */
function together(rows: readonly Row[]): Row[][] {
  return [...Map.groupBy(rows, (row) => [row["timestamp"], row["uuid"], row["metric_name"]].join()).values()];
}

const distinct = (rows: readonly Row[], name: string): number => new Set(rows.map((row) => row[name])).size;

test("without shares, the file is byte for byte what versions without shares wrote", () => {
  // but for the energy counters, which begin at 0 since
  const args = ["--out", "-", "--hosts", "2", "--gpus-per-host", "4", "--seconds", "30", "--seed", "7"];
  const parsed = parseArguments(args);
  const hash = createHash("sha256");
  for (const { text } of fleetCsv(new SimulatedFleet({ ...parsed, clusterId: "" }), parsed)) hash.update(text);
  expect(hash.digest("hex")).toBe("3af48cc95ccc133b16e854bcff1ff2c45784af3c5369ddb248cf0183b687674a");
});

test("shares add rows and labels, but do not change the readings of the board", () => {
  const powerOf = (rows: readonly Row[]): Set<string> =>
    new Set(
      rows
        .filter((row) => row["metric_name"] === "DCGM_FI_DEV_POWER_USAGE")
        .map((row) => [row["timestamp"], row["uuid"], row["value"]].join()),
    );
  expect(powerOf(rowsOf({ mig: 0.4, timeSlicing: 0.3, vgpu: 0.3, series: 1 }))).toEqual(powerOf(rowsOf({})));
});

test("MIG instances are created, destroyed and cut to other profiles; their GPU's board metrics are repeated", () => {
  const rows = rowsOf({ mig: 1 });
  const instance = (row: Row): string => `${labelOf(row, "GPU_I_ID")} ${labelOf(row, "GPU_I_PROFILE")}`;
  const ofGpus = [...Map.groupBy(rows, (row) => row["uuid"]).values()];
  const setsOf = (ofGpu: Row[]): string[] =>
    [...Map.groupBy(ofGpu, (row) => row["timestamp"]).values()].map((each) =>
      [...new Set(each.map(instance))].sort().join(),
    );
  for (const sets of ofGpus.map(setsOf)) expect(new Set(sets).size).toBeGreaterThan(1);
  const profiles = Map.groupBy(rows, (row) => `${row["uuid"]} ${labelOf(row, "GPU_I_ID")}`);
  const recut = [...profiles.values()].filter((each) => new Set(each.map(instance)).size > 1);
  expect(recut.length).toBeGreaterThan(2);
  for (const [name, isBoard] of [
    ["DCGM_FI_DEV_POWER_USAGE", true],
    ["DCGM_FI_DEV_FB_FREE", false],
  ] as const) {
    const groups = together(rows.filter((row) => row["metric_name"] === name)).filter(({ length }) => length > 1);
    expect(groups.every((group) => distinct(group, "value") === 1)).toBe(isBoard);
    expect(groups.every((group) => new Set(group.map(instance)).size === group.length)).toBe(true);
  }
});

test("each pod that shares a GPU has a row with the same value; with vGPUs, the label vgpu tells them apart", () => {
  for (const shares of [{ timeSlicing: 1 }, { vgpu: 1 }]) {
    const rows = rowsOf(shares);
    const shared = together(rows).filter(({ length }) => length > 1);
    expect(shared.length).toBeGreaterThan(1000);
    expect(shared.every((group) => distinct(group, "value") === 1 && distinct(group, "pod") === group.length)).toBe(
      true,
    );
    const vgpus = (group: Row[]): number => new Set(group.map((row) => labelOf(row, "vgpu"))).size;
    expect(shared.every((group) => vgpus(group) === ("vgpu" in shares ? group.length : 1))).toBe(true);
    expect(rows.some((row) => row["pod"] === "")).toBe(true);
  }
});

test("links, XID codes, clock events and health watches have a row for each of their labels", () => {
  const rows = rowsOf({ series: 1 });
  const labels = (metric: string, label: string): number =>
    new Set(rows.filter((row) => row["metric_name"] === metric).map((row) => labelOf(row, label))).size;
  expect(labels("DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "nvlink")).toBeGreaterThanOrEqual(12);
  expect(labels("DCGM_EXP_XID_ERRORS_COUNT", "xid")).toBeGreaterThan(2);
  expect(labels("DCGM_EXP_CLOCK_EVENTS_COUNT", "clock_event")).toBe(4);
  expect(labels("DCGM_EXP_GPU_HEALTH_STATUS", "health_watch")).toBe(4);
  expect(labels("DCGM_EXP_GPU_HEALTH_STATUS", "health_error_code")).toBeGreaterThan(2);
  expect(labels("DCGM_EXP_XID_ERRORS_COUNT", "window_size_in_ms")).toBe(1);
  const codes = rows.filter((row) => row["metric_name"] === "DCGM_FI_DEV_XID_ERRORS");
  expect(codes.every((row) => labelOf(row, "err_code") === row["value"])).toBe(true);
});

test("shares that are no shares, or that exclude each other, are refused", () => {
  const refused = (...args: string[]) => expect(() => parseArguments(["--out", "-", ...args]));
  refused("--mig", "1.5").toThrow('--mig "1.5" is not usable: expected a share from 0 to 1');
  refused("--series", "all").toThrow("--series");
  refused("--mig", "0.5", "--vgpu", "0.6").toThrow("sum of at most 1");
  expect(parseArguments(["--out", "-", "--mig", "0.1", "--time-slicing", "0.2", "--vgpu", "0.7"])).toBeDefined();
});
