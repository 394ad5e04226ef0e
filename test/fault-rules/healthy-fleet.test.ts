import { expect, test } from "bun:test";
import type { StateSpan } from "../../src/domain/inventory.ts";
import { Random } from "../../src/pipeline/source/simulated/random.ts";
import type { ChosenFault } from "../../src/pipeline/source/simulated/faults/fleet-faults.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { startMs } from "./scripted-fleet.ts";
import { run } from "./simulated-run.ts";

const hour = 3600;
/** What happens in a healthy fleet. */
const rebooted = {
  name: "a host is off and starts again, under maintenance",
  fault: { strikes: "host", lost: 1, resets: [hour], lastsSeconds: hour },
  ...{ fromSeconds: 11 * hour, toSeconds: Infinity },
} as const satisfies ChosenFault;
const removed = {
  name: "a GPU is taken out, under maintenance",
  fault: { lost: 1 },
  ...{ fromSeconds: 18 * hour, toSeconds: Infinity },
} as const satisfies ChosenFault;
const restarted = {
  name: "an exporter restarts",
  fault: { strikes: "host", lost: 1, lastsSeconds: 40 },
  ...{ fromSeconds: 5 * hour, toSeconds: Infinity },
} as const satisfies ChosenFault;

const fleet = { hosts: 3, gpusPerHost: 8, seed: 3, chosenFaults: [rebooted, removed, restarted] };
const intervalMs = 10_000;

/** The maintenance of the rebooted host and of the removed GPU. */
function maintenance(): StateSpan[] {
  const { struck } = new SimulatedFleet({ ...fleet, intervalMs, clusterId: "sim" });
  const hostname = struck[0]?.host.hostname ?? "";
  const gpu = struck[1]?.gpus[0]?.gpu;
  return [
    { hostname, uuid: "", from: rebooted.fromSeconds - 120, to: rebooted.fromSeconds + hour + 300 },
    { hostname: gpu?.hostname ?? "", uuid: gpu?.uuid ?? "", from: removed.fromSeconds - 60, to: 25 * hour },
  ].map(({ from, to, ...place }) => ({
    ...{ clusterId: "sim", ...place, state: "maintenance" as const },
    ...{ fromMs: startMs + from * 1000, toMs: startMs + to * 1000 },
  }));
}

/** The pipeline stops and loses its records; it stops, and catches up with them. */
const outage = { from: 9 * hour, to: 9 * hour + 280 };
const backlog = { from: 14 * hour, to: 14 * hour + 900 };
const within = ({ from, to }: typeof outage, seconds: number): boolean => seconds >= from && seconds < to;

test("a day of a healthy simulated fleet, with 1 % of records lost, restarts and maintenance, raises no alarm", async () => {
  const random = new Random(1);
  const { changes, records } = await run({
    ...fleet,
    seconds: 24 * hour,
    spans: maintenance(),
    isLost: (_, seconds) => random.chance(0.01) || within(outage, seconds),
    isDown: (seconds) => within(outage, seconds) || within(backlog, seconds),
  });
  expect(records).toBeGreaterThan(195_000);
  expect(changes.filter(({ state }) => state === "firing")).toEqual([]);
  // conditions that do not last
  expect(changes.filter(({ state }) => state === "pending").length).toBeGreaterThan(100);
}, 120_000);
