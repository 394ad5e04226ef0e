import { afterAll, expect, test } from "bun:test";
import { fleetCsv } from "../../scripts/simulate/fleet-csv.ts";
import { migInstanceOf } from "../../src/domain/mig-instance.ts";
import { type DeviceShares, noShares } from "../../src/pipeline/source/simulated/devices/device-shares.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { SimulatedSource } from "../../src/pipeline/source/simulated/simulated-source.ts";
import type { LiveBatch } from "../../src/pipeline/source/source.ts";
import { exerciseLiveSource } from "../contract/live-source.ts";
import { batchesOf, CsvFolder, openCsvSource } from "../support/csv-reading.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { mergedRecords } from "../support/merged-records.ts";

const startMs = Date.UTC(2025, 0, 1, 12);
const fleet = { hosts: 2, gpusPerHost: 8, seed: 3, intervalMs: 5000, clusterId: "sim" };
const ticks = 20;
const folder = new CsvFolder();
afterAll(() => folder.remove());

const openSource = (clock: ManualClock, shares: Partial<DeviceShares>, batchMaxSamples = 5000): SimulatedSource =>
  new SimulatedSource({ ...fleet, shares: { ...noShares, ...shares }, clock, batchMaxSamples });

const everyKind = { mig: 0.4, timeSlicing: 0.2, vgpu: 0.2, series: 0.5 };
exerciseLiveSource("SimulatedSource with instances, sharing and series", (clock) =>
  Promise.resolve({
    source: openSource(clock, everyKind, 500),
    intervalMs: fleet.intervalMs,
    settled: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }),
);

async function readLive(shares: Partial<DeviceShares>, batchMaxSamples?: number): Promise<LiveBatch[]> {
  const clock = new ManualClock(startMs);
  const batches: LiveBatch[] = [];
  const halt = new AbortController();
  const reading = (async () => {
    const source = openSource(clock, shares, batchMaxSamples);
    for await (const batch of source.read(-Infinity, halt.signal)) batches.push(batch);
  })();
  await clock.advance(0);
  for (let tick = 1; tick < ticks; tick += 1) await clock.advance(fleet.intervalMs);
  halt.abort();
  await reading;
  return batches;
}

async function readCsv(shares: Partial<DeviceShares>) {
  const simulated = new SimulatedFleet({ ...fleet, shares: { ...noShares, ...shares } });
  const text = Array.from(fleetCsv(simulated, { startMs, intervalMs: fleet.intervalMs, ticks }), (part) => part.text);
  return batchesOf(await openCsvSource(folder.write(text.join("")), { clusterId: "sim" }));
}

test.each<[string, Partial<DeviceShares>]>([
  ["MIG instances", { mig: 1 }],
  ["pods that share GPUs", { timeSlicing: 1 }],
  ["virtual GPUs", { vgpu: 1 }],
  ["labelled series", { series: 1 }],
  ["all of them", everyKind],
])("the live fleet with %s has the records that the CSV of the same fleet gives", async (_, shares) => {
  const live = mergedRecords((await readLive(shares)).map(({ batch }) => batch));
  const csv = mergedRecords((await readCsv(shares)).map(({ batch }) => batch));
  expect(live.size).toBe(csv.size);
  expect(live.size).toBeGreaterThanOrEqual(16 * ticks * 0.9);
  for (const [key, record] of csv) expect(live.get(key)).toEqual(record);
});

test("a live fleet has the devices that its shares ask for", async () => {
  const records = [...mergedRecords((await readLive(everyKind)).map(({ batch }) => batch)).values()];
  expect(records.some(({ gpu }) => migInstanceOf(gpu.uuid) !== undefined)).toBe(true);
  expect(records.some(({ occupants }) => occupants.length > 1)).toBe(true);
  expect(records.some(({ custom }) => [...custom.keys()].some((name) => name.includes("nvlink=")))).toBe(true);
});

test("a fleet with other shares is another source; without shares, the name is as it was", () => {
  const idOf = (shares: Partial<DeviceShares>): string => openSource(new ManualClock(startMs), shares).sourceId;
  expect(idOf({})).toBe("simulated:sim:2x8:5000ms:3");
  expect(idOf({ mig: 0.25, series: 1 })).toBe("simulated:sim:2x8:5000ms:3:mig=0.25:series=1");
});

test("small batches name their GPUs in their keys, and give the same records", async () => {
  const small = await readLive(everyKind, 150);
  expect(small.length).toBeGreaterThan(ticks * 2);
  expect(new Set(small.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(small.length);
  const whole = await readLive(everyKind);
  expect(mergedRecords(small.map(({ batch }) => batch))).toEqual(mergedRecords(whole.map(({ batch }) => batch)));
});
